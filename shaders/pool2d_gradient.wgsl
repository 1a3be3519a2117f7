// Gradient of 2-D pooling, NHWC: dz[n, iy, ix, c] = pooled_gradient, what the windows that hold the pixel pass on to it
// (lib/pooled_*.wgsl).
// data_gradient:       dx = dz.
// batch_norm_gradient: on through the activation and the batch normalisation that the pool loads x with: dh = dz where
//   low < x * scale + shift < high, else 0; dx (+)= scale * dh, which is all of it where the statistics are fixed;
//   batch_norm_correction.wgsl adds the rest. partials[chunk, 0, c] = sum of dh * (x - mean) * invStd (dgamma) and
//   [chunk, 1, c] = sum of dh (dbeta); the second pass is sum_partials.wgsl.
// Lanes are channels (lib/rows.wgsl), rows are the pixels of dx. Traffic: dy kernel^2 / stride^2 times, x and dx once.
alias T = f32;
// How maps lie in memory: as T, or as halves of it.
alias DY = T;
alias DX = T;
alias X = T;

struct Parameters {
  channels: u32,   // in T, like all offsets and strides
  rows: u32,
  chunkRows: u32,
  height: u32,
  width: u32,
  outHeight: u32,
  outWidth: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  strideY: u32,
  strideX: u32,
  padY: u32,
  padX: u32,
  countPadding: u32, // of an average
  indicesOffset: u32, // of a maximum, in words
  indicesStride: u32,
  xOffset: u32,
  xStride: u32,
  yOffset: u32,    // of dy
  yStride: u32,
  dxOffset: u32,
  dxStride: u32,
  accumulate: u32, // 1: add to dx
  low: f32,        // activation: clamp(value, low, high)
  high: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> dy: array<DY>;
@group(0) @binding(2) var<storage, read_write> dx: array<DX>;
@group(0) @binding(3) var<storage, read> x: array<X>;
@group(0) @binding(4) var<storage, read> affine: array<T>; // rows scale, shift, mean, invStd
@group(0) @binding(5) var<storage, read_write> partials: array<T>;

// First window along an axis that holds the place `at` of the padded input, and the first one behind those.
fn windows_of(at: u32, kernel: u32, stride: u32, count: u32) -> vec2u {
  let first = select(0u, (max(at, kernel) - kernel) / stride + 1u, at >= kernel);
  return vec2u(first, min(at / stride + 1u, count));
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
    dx[parameters.dxOffset + row * parameters.dxStride + channel] = DX(pooled_gradient(row, channel));
  }
}

@compute @workgroup_size(LANES, ROWS)
fn batch_norm_gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                       @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels || chunk_begin(chunk) >= parameters.rows) {
    return;
  }
  let scale = affine[channel];
  let shift = affine[parameters.channels + channel];
  let mean = affine[2u * parameters.channels + channel];
  var centred = T(0);
  var plain = T(0);
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    let value = T(x[parameters.xOffset + row * parameters.xStride + channel]);
    let activated = value * scale + shift;
    let passes = (activated > T(parameters.low)) & (activated < T(parameters.high));
    let dh = select(T(0), pooled_gradient(row, channel), passes);
    centred += dh * (value - mean);
    plain += dh;
    let at = parameters.dxOffset + row * parameters.dxStride + channel;
    if (parameters.accumulate == 1u) {
      dx[at] = DX(T(dx[at]) + scale * dh);
    } else {
      dx[at] = DX(scale * dh);
    }
  }
  partials[2u * chunk * parameters.channels + channel] = centred * affine[3u * parameters.channels + channel];
  partials[(2u * chunk + 1u) * parameters.channels + channel] = plain;
}
