// 2-D convolution, NHWC, groups = 1, made for drivers that keep arrays of a shader in memory (SwiftShader).
// y[n, oy, ox, co] = bias[co] + sum over ky, kx, ci of f(x[n, oy*s + ky - p, ox*s + kx - p, ci]) * w[ky, kx, ci, co]
// f: prologue (lib/prologue_*.wgsl); zero padding is inserted after it. What is done to y as it is stored: lib/output_*.wgsl.
// Lane: 8 consecutive output pixels x 16 output channels; 16 divides cout. Each pixel's sums are a matrix with a name of its
// own, a column four channels: indexing an array by a loop's counter has such a driver load and store every sum for every
// product. Weights are indexed by workgroup and loop counters alone, so that one load serves all lanes.
// Traffic: x is read cout / 16 times, w once for every 8*LANES pixels, y written once.
alias T = vec4f;
const LANES: u32 = 8u;
const PIXELS: u32 = 8u;
const BLOCKS: u32 = 4u;
const OUTSIDE: u32 = 0xffffffffu;

struct Parameters {
  pixels: u32,       // images * outHeight * outWidth
  height: u32,
  width: u32,
  inChannels: u32,   // in vec4f
  outHeight: u32,
  outWidth: u32,
  outChannels: u32,  // in vec4f
  kernelHeight: u32,
  kernelWidth: u32,
  strideY: u32,
  strideX: u32,
  padY: u32,
  padX: u32,
  xOffset: u32,      // in vec4f, like all offsets and strides
  xStride: u32,
  wOffset: u32,
  biasOffset: u32,
  yOffset: u32,
  yStride: u32,
  low: f32,          // activation of the prologue: clamp(value, low, high)
  high: f32,
  residualOffset: u32,
  residualStride: u32,
  outLow: f32,       // activation of the output
  outHigh: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> w: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_id) local: vec3u) {
  let co = group.x * BLOCKS;
  let first = ((group.y + group.z * groups.y) * LANES + local.x) * PIXELS;
  let corner0 = corner(first);
  let corner1 = corner(first + 1u);
  let corner2 = corner(first + 2u);
  let corner3 = corner(first + 3u);
  let corner4 = corner(first + 4u);
  let corner5 = corner(first + 5u);
  let corner6 = corner(first + 6u);
  let corner7 = corner(first + 7u);
  var sum0 = mat4x4f();
  var sum1 = mat4x4f();
  var sum2 = mat4x4f();
  var sum3 = mat4x4f();
  var sum4 = mat4x4f();
  var sum5 = mat4x4f();
  var sum6 = mat4x4f();
  var sum7 = mat4x4f();
  for (var ky = 0u; ky < parameters.kernelHeight; ky++) {
    for (var kx = 0u; kx < parameters.kernelWidth; kx++) {
      let address0 = address(corner0, ky, kx);
      let address1 = address(corner1, ky, kx);
      let address2 = address(corner2, ky, kx);
      let address3 = address(corner3, ky, kx);
      let address4 = address(corner4, ky, kx);
      let address5 = address(corner5, ky, kx);
      let address6 = address(corner6, ky, kx);
      let address7 = address(corner7, ky, kx);
      let tap = (ky * parameters.kernelWidth + kx) * parameters.inChannels;
      for (var ci = 0u; ci < parameters.inChannels; ci++) {
        let row = parameters.wOffset + (tap + ci) * 4u * parameters.outChannels + co;
        let a = weights(row);
        let b = weights(row + 1u);
        let c = weights(row + 2u);
        let d = weights(row + 3u);
        let value0 = load(address0, ci);
        sum0 += mat4x4f(a * value0, b * value0, c * value0, d * value0);
        let value1 = load(address1, ci);
        sum1 += mat4x4f(a * value1, b * value1, c * value1, d * value1);
        let value2 = load(address2, ci);
        sum2 += mat4x4f(a * value2, b * value2, c * value2, d * value2);
        let value3 = load(address3, ci);
        sum3 += mat4x4f(a * value3, b * value3, c * value3, d * value3);
        let value4 = load(address4, ci);
        sum4 += mat4x4f(a * value4, b * value4, c * value4, d * value4);
        let value5 = load(address5, ci);
        sum5 += mat4x4f(a * value5, b * value5, c * value5, d * value5);
        let value6 = load(address6, ci);
        sum6 += mat4x4f(a * value6, b * value6, c * value6, d * value6);
        let value7 = load(address7, ci);
        sum7 += mat4x4f(a * value7, b * value7, c * value7, d * value7);
      }
    }
  }
  store(first, co, sum0);
  store(first + 1u, co, sum1);
  store(first + 2u, co, sum2);
  store(first + 3u, co, sum3);
  store(first + 4u, co, sum4);
  store(first + 5u, co, sum5);
  store(first + 6u, co, sum6);
  store(first + 7u, co, sum7);
}

// Image, and the input's row and column under the kernel's first tap, plus padding; past the end: of the last pixel.
fn corner(index: u32) -> vec3u {
  let pixel = min(index, parameters.pixels - 1u);
  let row = pixel / parameters.outWidth;
  return vec3u(row / parameters.outHeight, (row % parameters.outHeight) * parameters.strideY,
               (pixel % parameters.outWidth) * parameters.strideX);
}

fn address(corner: vec3u, ky: u32, kx: u32) -> u32 {
  let iy = corner.y + ky - parameters.padY; // wraps to a huge number above the image
  let ix = corner.z + kx - parameters.padX;
  let at = (corner.x * parameters.height + iy) * parameters.width + ix;
  return select(OUTSIDE, parameters.xOffset + at * parameters.xStride, iy < parameters.height && ix < parameters.width);
}

fn load(address: u32, ci: u32) -> vec4f {
  let inside = address != OUTSIDE;
  return select(vec4f(0), prologue(x[select(parameters.xOffset, address, inside) + ci], ci), inside);
}

// Of four input channels, a column each, for four output channels.
fn weights(row: u32) -> mat4x4f {
  return mat4x4f(w[row], w[row + parameters.outChannels], w[row + 2u * parameters.outChannels],
                 w[row + 3u * parameters.outChannels]);
}

fn store(pixel: u32, co: u32, sum: mat4x4f) {
  if (pixel < parameters.pixels) {
    let at = parameters.yOffset + pixel * parameters.yStride + co;
    y[at] = finish(add_bias(sum[0], co), co, pixel);
    y[at + 1u] = finish(add_bias(sum[1], co + 1u), co + 1u, pixel);
    y[at + 2u] = finish(add_bias(sum[2], co + 2u), co + 2u, pixel);
    y[at + 3u] = finish(add_bias(sum[3], co + 3u), co + 3u, pixel);
  }
}
