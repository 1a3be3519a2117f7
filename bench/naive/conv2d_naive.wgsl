// The naive grouped convolution that the tiled kernels are measured against: NHWC, one thread per result, consecutive threads = consecutive
// channels, so that every load but the broadcast ones is coalesced; f32 scalar loads, bounds checked tap by tap, no reuse.
// y[n, oy, ox, co]   = sum over ky, kx, ci of x[n, oy*s + ky - p, ox*s + kx - p, g, ci] * w[ky, kx, ci, co]
// dx[n, iy, ix, ci]  = sum over ky, kx, co of dy[n, (iy + p - ky) / s, (ix + p - kx) / s, co] * w[ky, kx, ci, co]
// dw[ky, kx, ci, co] = sum over n, oy, ox of x[n, oy*s + ky - p, ox*s + kx - p, g, ci] * dy[n, oy, ox, co]
const LANES: u32 = 64u;

struct Parameters {
  images: u32,
  height: u32,
  width: u32,
  inChannels: u32,
  outHeight: u32,
  outWidth: u32,
  outChannels: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  groups: u32,
  strideY: u32,
  strideX: u32,
  padY: u32,
  padX: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_id) local: vec3u) {
  let index = (group.x + group.y * groups.x) * LANES + local.x;
  let co = index % parameters.outChannels;
  let pixel = index / parameters.outChannels;
  let ox = pixel % parameters.outWidth;
  let oy = pixel / parameters.outWidth % parameters.outHeight;
  let image = pixel / parameters.outWidth / parameters.outHeight;
  if (image >= parameters.images) {
    return;
  }
  let inside = parameters.inChannels / parameters.groups;
  let base = co / (parameters.outChannels / parameters.groups) * inside;
  var sum = 0f;
  for (var ky = 0u; ky < parameters.kernelHeight; ky++) {
    for (var kx = 0u; kx < parameters.kernelWidth; kx++) {
      let iy = oy * parameters.strideY + ky - parameters.padY; // wraps to a huge number above the image
      let ix = ox * parameters.strideX + kx - parameters.padX;
      if (iy < parameters.height && ix < parameters.width) {
        let at = ((image * parameters.height + iy) * parameters.width + ix) * parameters.inChannels + base;
        let row = (ky * parameters.kernelWidth + kx) * inside;
        for (var ci = 0u; ci < inside; ci++) {
          sum += x[at + ci] * w[(row + ci) * parameters.outChannels + co];
        }
      }
    }
  }
  result[index] = sum;
}

@compute @workgroup_size(LANES)
fn data_gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_id) local: vec3u) {
  let index = (group.x + group.y * groups.x) * LANES + local.x;
  let channel = index % parameters.inChannels;
  let pixel = index / parameters.inChannels;
  let ix = pixel % parameters.width;
  let iy = pixel / parameters.width % parameters.height;
  let image = pixel / parameters.width / parameters.height;
  if (image >= parameters.images) {
    return;
  }
  let inside = parameters.inChannels / parameters.groups;
  let outside = parameters.outChannels / parameters.groups;
  let base = channel / inside * outside;
  var sum = 0f;
  for (var ky = 0u; ky < parameters.kernelHeight; ky++) {
    for (var kx = 0u; kx < parameters.kernelWidth; kx++) {
      let ty = iy + parameters.padY - ky;
      let tx = ix + parameters.padX - kx;
      let oy = ty / parameters.strideY;
      let ox = tx / parameters.strideX;
      if (oy * parameters.strideY == ty && ox * parameters.strideX == tx
          && oy < parameters.outHeight && ox < parameters.outWidth) {
        let source = ((image * parameters.outHeight + oy) * parameters.outWidth + ox) * parameters.outChannels + base;
        let row = ((ky * parameters.kernelWidth + kx) * inside + channel % inside) * parameters.outChannels + base;
        for (var co = 0u; co < outside; co++) {
          sum += dy[source + co] * w[row + co];
        }
      }
    }
  }
  result[index] = sum;
}

@compute @workgroup_size(LANES)
fn weight_gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                   @builtin(local_invocation_id) local: vec3u) {
  let index = (group.x + group.y * groups.x) * LANES + local.x;
  let inside = parameters.inChannels / parameters.groups;
  let co = index % parameters.outChannels;
  let ci = index / parameters.outChannels % inside;
  let tap = index / parameters.outChannels / inside;
  let ky = tap / parameters.kernelWidth;
  let kx = tap % parameters.kernelWidth;
  if (ky >= parameters.kernelHeight) {
    return;
  }
  let channel = co / (parameters.outChannels / parameters.groups) * inside + ci;
  var sum = 0f;
  for (var image = 0u; image < parameters.images; image++) {
    for (var oy = 0u; oy < parameters.outHeight; oy++) {
      for (var ox = 0u; ox < parameters.outWidth; ox++) {
        let iy = oy * parameters.strideY + ky - parameters.padY;
        let ix = ox * parameters.strideX + kx - parameters.padX;
        if (iy < parameters.height && ix < parameters.width) {
          let at = ((image * parameters.height + iy) * parameters.width + ix) * parameters.inChannels + channel;
          let pixel = (image * parameters.outHeight + oy) * parameters.outWidth + ox;
          sum += x[at] * dy[pixel * parameters.outChannels + co];
        }
      }
    }
  }
  result[index] = sum;
}
