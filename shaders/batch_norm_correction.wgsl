// What the batch's statistics add to the gradient of a normalised map: slope[c] * (x - mean[c]) + constant[c].
// sum_coefficients: for one normalisation, slope (+)= -scale * invStd * dgamma / n and constant (+)= -scale * dbeta / n.
// One lane a channel (or four). Traffic: a few vectors.
// correct: dx += slope * (x - mean) + constant, with the coefficients of all normalisations of x added up.
// Lanes are channels (lib/rows.wgsl). Traffic: x once, dx read and written once.
alias T = f32;
// How maps lie in memory: as T, or as halves of it.
alias X = T;
alias DX = T;

struct Parameters {
  channels: u32,            // in T, like all offsets and strides
  rows: u32,
  chunkRows: u32,
  xOffset: u32,
  xStride: u32,
  affineOffset: u32,        // rows scale, shift, mean, invStd
  affineStride: u32,
  dweightOffset: u32,       // rows dgamma, dbeta
  coefficientsOffset: u32,  // rows slope, constant
  coefficientsStride: u32,
  dxOffset: u32,
  dxStride: u32,
  accumulate: u32,          // 1: add to the coefficients
  meanShare: f32,           // 1 / n
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> x: array<X>;
@group(0) @binding(2) var<storage, read> affine: array<T>;
@group(0) @binding(3) var<storage, read> dweight: array<T>;
@group(0) @binding(4) var<storage, read> coefficients: array<T>;
@group(0) @binding(5) var<storage, read_write> sums: array<T>; // the coefficients, written
@group(0) @binding(6) var<storage, read_write> dx: array<DX>;

fn affine_at(row: u32, channel: u32) -> T {
  return affine[parameters.affineOffset + row * parameters.affineStride + channel];
}

@compute @workgroup_size(LANES, ROWS)
fn sum_coefficients(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  if (channel >= parameters.channels || local.y > 0u) {
    return;
  }
  let dgamma = dweight[parameters.dweightOffset + channel];
  let dbeta = dweight[parameters.dweightOffset + parameters.channels + channel];
  let share = -affine_at(0u, channel) * parameters.meanShare;
  var slope = share * affine_at(3u, channel) * dgamma;
  var constant = share * dbeta;
  let at = parameters.coefficientsOffset + channel;
  if (parameters.accumulate == 1u) {
    slope += sums[at];
    constant += sums[at + parameters.coefficientsStride];
  }
  sums[at] = slope;
  sums[at + parameters.coefficientsStride] = constant;
}

@compute @workgroup_size(LANES, ROWS)
fn correct(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels) {
    return;
  }
  let at = parameters.coefficientsOffset + channel;
  let slope = coefficients[at];
  let constant = coefficients[at + parameters.coefficientsStride];
  let mean = affine_at(2u, channel);
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    let value = T(x[parameters.xOffset + row * parameters.xStride + channel]);
    let place = parameters.dxOffset + row * parameters.dxStride + channel;
    dx[place] = DX(T(dx[place]) + slope * (value - mean) + constant);
  }
}
