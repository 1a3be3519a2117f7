// partials[chunk, c] = sum over the chunk's rows of x[row, c]: the first pass of a sum over rows (a bias's gradient).
// Lanes are channels (lib/rows.wgsl). Traffic: x once; the second pass is sum_partials.wgsl.
alias T = f32;
// How x lies in memory: as T, or as halves of it.
alias X = T;

struct Parameters {
  channels: u32,   // in T, like the offset and stride
  rows: u32,
  chunkRows: u32,
  xOffset: u32,
  xStride: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> x: array<X>;
@group(0) @binding(2) var<storage, read_write> partials: array<T>;

@compute @workgroup_size(LANES, ROWS)
fn sum_chunks(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
              @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels || chunk_begin(chunk) >= parameters.rows) {
    return;
  }
  var sum = T(0);
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    sum += T(x[parameters.xOffset + row * parameters.xStride + channel]);
  }
  partials[chunk * parameters.channels + channel] = sum;
}
