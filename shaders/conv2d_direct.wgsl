// 2-D convolution and its gradients for any sizes and groups, NHWC, one thread per result: the formula as it stands.
// y[n, oy, ox, co]    = bias[co] + sum over ky, kx, ci of f(x[n, oy*s + ky - p, ox*s + kx - p, g, ci]) * w[ky, kx, ci, co]
// dx[n, iy, ix, ci] (+)= sum over ky, kx, co of dy[n, (iy + p - ky) / s, (ix + p - kx) / s, co] * w[ky, kx, ci, co]
// dw[ky, kx, ci, co]  = sum over n, oy, ox of f(x[n, oy*s + ky - p, ox*s + kx - p, g, ci]) * dy[n, oy, ox, co]
// Group g has inChannels / groups inputs and outChannels / groups outputs. Traffic: every operand is read once per
// product; it serves shapes that no tiled variant fits (odd channels, single logits). Sums are taken by blocks: rounding
// errors grow with the root of the longest chain of additions, and a logit adds up 2,048 products.
alias T = f32;
// How maps lie in memory: as T, or as halves of it.
alias X = T;
alias DY = T;
alias RESULT = T;
const LANES: u32 = 64u;
const BLOCK: u32 = 32u; // products that are added up on their own

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
  xOffset: u32,      // of x or dx, in elements like all offsets and strides
  xStride: u32,
  wOffset: u32,      // of w or dw
  biasOffset: u32,
  yOffset: u32,      // of y or dy
  yStride: u32,
  accumulate: u32,   // 1: add to dx
  low: f32,          // activation of the prologue: clamp(value, low, high)
  high: f32,
  residualOffset: u32,
  residualStride: u32,
  outLow: f32,       // activation of the output
  outHigh: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> x: array<X>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<DY>;
@group(0) @binding(4) var<storage, read_write> result: array<RESULT>;

fn weight_index(ky: u32, kx: u32, ci: u32, co: u32) -> u32 {
  let inside = parameters.inChannels / parameters.groups;
  return parameters.wOffset + ((ky * parameters.kernelWidth + kx) * inside + ci) * parameters.outChannels + co;
}

fn input_value(image: u32, iy: u32, ix: u32, channel: u32) -> f32 {
  if (iy >= parameters.height || ix >= parameters.width) {
    return 0;
  }
  let pixel = (image * parameters.height + iy) * parameters.width + ix;
  return prologue(T(x[parameters.xOffset + pixel * parameters.xStride + channel]), channel);
}

fn thread_index(group: vec3u, groups: vec3u, local: vec3u) -> u32 {
  return (group.x + group.y * groups.x) * LANES + local.x;
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_id) local: vec3u) {
  let index = thread_index(group, groups, local);
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
      for (var first = 0u; first < inside; first += BLOCK) {
        var part = 0f;
        for (var ci = first; ci < min(first + BLOCK, inside); ci++) {
          part += input_value(image, iy, ix, base + ci) * w[weight_index(ky, kx, ci, co)];
        }
        sum += part;
      }
    }
  }
  result[parameters.yOffset + pixel * parameters.yStride + co] = RESULT(finish(add_bias(sum, co), co, pixel));
}

@compute @workgroup_size(LANES)
fn data_gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_id) local: vec3u) {
  let index = thread_index(group, groups, local);
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
        let source = parameters.yOffset + ((image * parameters.outHeight + oy) * parameters.outWidth + ox) * parameters.yStride;
        for (var first = base; first < base + outside; first += BLOCK) {
          var part = 0f;
          for (var co = first; co < min(first + BLOCK, base + outside); co++) {
            part += T(dy[source + co]) * w[weight_index(ky, kx, channel % inside, co)];
          }
          sum += part;
        }
      }
    }
  }
  let at = parameters.xOffset + pixel * parameters.xStride + channel;
  if (parameters.accumulate == 1u) {
    result[at] = RESULT(T(result[at]) + sum);
  } else {
    result[at] = RESULT(sum);
  }
}

@compute @workgroup_size(LANES)
fn weight_gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                   @builtin(local_invocation_id) local: vec3u) {
  let index = thread_index(group, groups, local);
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
      var part = 0f;
      for (var ox = 0u; ox < parameters.outWidth; ox++) {
        let value = input_value(image, oy * parameters.strideY + ky - parameters.padY,
                                ox * parameters.strideX + kx - parameters.padX, channel);
        let pixel = (image * parameters.outHeight + oy) * parameters.outWidth + ox;
        part += value * T(dy[parameters.yOffset + pixel * parameters.yStride + co]);
      }
      sum += part;
    }
  }
  result[parameters.wOffset + index] = RESULT(sum);
}
