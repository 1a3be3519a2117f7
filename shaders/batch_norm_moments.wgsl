// The moments of x over its rows, chunk by chunk; batch_norm_merge_partials.wgsl merges them.
// Each lane gathers those of its chunk: count, mean and M2 = sum of (x - mean)^2 (lib/moments_apart.wgsl).
// Lanes are channels (lib/rows.wgsl). Traffic: x once.
alias T = f32;
// How x lies in memory: as T, or as halves of it.
alias X = T;

struct Parameters {
  channels: u32,      // in T, like all offsets and strides
  rows: u32,
  chunkRows: u32,
  xOffset: u32,
  xStride: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> x: array<X>;

@compute @workgroup_size(LANES, ROWS)
fn chunk_moments(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  let begin = chunk_begin(chunk);
  let end = chunk_end(chunk);
  if (channel >= parameters.channels || begin >= end) {
    return;
  }
  let origin = moments_origin(0u, T(x[parameters.xOffset + begin * parameters.xStride + channel]));
  var total = T(0);
  var squares = T(0);
  for (var row = begin; row < end; row++) {
    let distance = T(x[parameters.xOffset + row * parameters.xStride + channel]) - origin;
    total += distance;
    squares += distance * distance;
  }
  add_to_moments(0u, total, squares);
  add_rows(end - begin);
  store_moments(chunk, 0u, channel, parameters.channels);
}
