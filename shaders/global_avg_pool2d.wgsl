// Global average pooling, NHWC. forward: y[n, c] = mean over the image's pixels of x[n, pixel, c].
// data_gradient: dx[n, pixel, c] = dy[n, c] / pixels. Lanes are channels (lib/rows.wgsl); rows are images forward and
// pixels of dx backward. Traffic: x or dx once.
alias T = f32;
// How maps lie in memory: as T, or as halves of it.
alias X = T;
alias DX = T;

struct Parameters {
  channels: u32,   // in T, like all offsets and strides
  rows: u32,
  chunkRows: u32,
  pixels: u32,     // of one image
  xOffset: u32,    // of x or dx
  xStride: u32,
  yOffset: u32,    // of y or dy
  yStride: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> x: array<X>;
@group(0) @binding(2) var<storage, read_write> y: array<T>;
@group(0) @binding(3) var<storage, read> dy: array<T>;
@group(0) @binding(4) var<storage, read_write> dx: array<DX>;

@compute @workgroup_size(LANES, ROWS)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels) {
    return;
  }
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    var sum = T(0);
    for (var pixel = row * parameters.pixels; pixel < (row + 1u) * parameters.pixels; pixel++) {
      sum += T(x[parameters.xOffset + pixel * parameters.xStride + channel]);
    }
    y[parameters.yOffset + row * parameters.yStride + channel] = sum / f32(parameters.pixels);
  }
}

@compute @workgroup_size(LANES, ROWS)
fn data_gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels) {
    return;
  }
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    let gradient = dy[parameters.yOffset + row / parameters.pixels * parameters.yStride + channel];
    dx[parameters.xOffset + row * parameters.xStride + channel] = DX(gradient / f32(parameters.pixels));
  }
}
