// Gradient of batch normalisation and its activation. dz: gradient after the activation; dy = dz where
// low < x * scale + shift < high, else 0; xhat = (x - mean) * invStd; n = rows.
// sum_chunks:    partials[chunk, 0, c] = sum of dy * xhat (dgamma), partials[chunk, 1, c] = sum of dy (dbeta);
//                the second pass is sum_partials.wgsl.
// data_gradient: dx (+)= scale * (dy - dbeta / n - xhat * dgamma / n) with the batch's statistics, scale * dy with the
//                running ones (meanShare 0).
// Lanes are channels (lib/rows.wgsl). Traffic: dz and x once in each, dx once.
alias T = f32;
// How maps lie in memory: as T, or as halves of it.
alias DZ = T;
alias X = T;
alias DX = T;

struct Parameters {
  channels: u32,       // in T, like all offsets and strides
  rows: u32,
  chunkRows: u32,
  dzOffset: u32,
  dzStride: u32,
  xOffset: u32,
  xStride: u32,
  dweightOffset: u32,  // rows dgamma, dbeta
  dxOffset: u32,
  dxStride: u32,
  accumulate: u32,     // 1: add to dx
  meanShare: f32,      // 1 / n, or 0 where the statistics do not depend on x
  low: f32,
  high: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> dz: array<DZ>;
@group(0) @binding(2) var<storage, read> x: array<X>;
@group(0) @binding(3) var<storage, read> affine: array<T>; // rows scale, shift, mean, invStd
@group(0) @binding(4) var<storage, read_write> partials: array<T>;
@group(0) @binding(5) var<storage, read> dweight: array<T>;
@group(0) @binding(6) var<storage, read_write> dx: array<DX>;

fn masked(gradient: T, value: T) -> T {
  return select(T(0), gradient, (value > T(parameters.low)) & (value < T(parameters.high)));
}

@compute @workgroup_size(LANES, ROWS)
fn sum_chunks(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
              @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels || chunk_begin(chunk) >= parameters.rows) {
    return;
  }
  let scale = affine[channel];
  let shift = affine[parameters.channels + channel];
  let mean = affine[2u * parameters.channels + channel];
  let invStd = affine[3u * parameters.channels + channel];
  var dgamma = T(0);
  var dbeta = T(0);
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    let value = T(x[parameters.xOffset + row * parameters.xStride + channel]);
    let dy = masked(T(dz[parameters.dzOffset + row * parameters.dzStride + channel]), value * scale + shift);
    dbeta += dy;
    dgamma += dy * ((value - mean) * invStd);
  }
  partials[2u * chunk * parameters.channels + channel] = dgamma;
  partials[(2u * chunk + 1u) * parameters.channels + channel] = dbeta;
}

@compute @workgroup_size(LANES, ROWS)
fn data_gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels) {
    return;
  }
  let scale = affine[channel];
  let shift = affine[parameters.channels + channel];
  let mean = affine[2u * parameters.channels + channel];
  let invStd = affine[3u * parameters.channels + channel];
  let slope = dweight[parameters.dweightOffset + channel] * invStd * parameters.meanShare;
  let constant = dweight[parameters.dweightOffset + parameters.channels + channel] * parameters.meanShare;
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    let value = T(x[parameters.xOffset + row * parameters.xStride + channel]);
    let dy = masked(T(dz[parameters.dzOffset + row * parameters.dzStride + channel]), value * scale + shift);
    let gradient = scale * (dy - constant - (value - mean) * slope);
    let at = parameters.dxOffset + row * parameters.dxStride + channel;
    if (parameters.accumulate == 1u) {
      dx[at] = DX(T(dx[at]) + gradient);
    } else {
      dx[at] = DX(gradient);
    }
  }
}
