// apply:         y = clamp(x * scale[c] + shift[c], low, high): a normalisation and its activation.
// apply_and_add: y = clamp(x * scale[c] + shift[c] + residual, low, high): the end of a residual block.
// affine: rows scale, shift, mean, invStd. Lanes are channels (lib/rows.wgsl). Traffic: x, residual and y once.
alias T = f32;
// How maps lie in memory: as T, or as halves of it.
alias X = T;
alias Y = T;
alias RESIDUAL = T;

struct Parameters {
  channels: u32,   // in T, like all offsets and strides
  rows: u32,
  chunkRows: u32,
  xOffset: u32,
  xStride: u32,
  yOffset: u32,
  yStride: u32,
  residualOffset: u32,
  residualStride: u32,
  low: f32,
  high: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> x: array<X>;
@group(0) @binding(2) var<storage, read> affine: array<T>;
@group(0) @binding(3) var<storage, read_write> y: array<Y>;
@group(0) @binding(4) var<storage, read> residual: array<RESIDUAL>;

@compute @workgroup_size(LANES, ROWS)
fn apply(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
         @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels) {
    return;
  }
  let scale = affine[channel];
  let shift = affine[parameters.channels + channel];
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    let value = T(x[parameters.xOffset + row * parameters.xStride + channel]) * scale + shift;
    y[parameters.yOffset + row * parameters.yStride + channel] = Y(clamp(value, T(parameters.low), T(parameters.high)));
  }
}

@compute @workgroup_size(LANES, ROWS)
fn apply_and_add(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels) {
    return;
  }
  let scale = affine[channel];
  let shift = affine[parameters.channels + channel];
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    let value = T(x[parameters.xOffset + row * parameters.xStride + channel]) * scale + shift;
    let sum = value + T(residual[parameters.residualOffset + row * parameters.residualStride + channel]);
    y[parameters.yOffset + row * parameters.yStride + channel] = Y(clamp(sum, T(parameters.low), T(parameters.high)));
  }
}
