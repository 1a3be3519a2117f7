// 2-D convolution, NHWC, groups = 1, made for drivers that keep arrays of a shader in memory (SwiftShader).
// y[n, oy, ox, co] = bias[co] + sum over ky, kx, ci of f(x[n, oy*s + ky - p, ox*s + kx - p, ci]) * w[ky, kx, ci, co]
// f: prologue (lib/prologue_*.wgsl); zero padding is inserted after it. What is done to y as it is stored: lib/output_*.wgsl.
// Lane: 8 consecutive output pixels x 16 output channels; 16 divides cout. Each pixel's sums are a matrix with a name of its
// own, a column four channels: indexing an array by a loop's counter has such a driver load and store every sum for every
// product. Weights are indexed by workgroup and loop counters alone, so that one load serves all lanes.
// Traffic: x is read cout / 16 times, w once for every 8*LANES pixels, y written once.
alias T = vec4f;
// How maps lie in memory: as T, or as halves of it.
alias X = T;
alias Y = T;
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
@group(0) @binding(1) var<storage, read> x: array<X>;
@group(0) @binding(2) var<storage, read> w: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<Y>;

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_id) local: vec3u) {
  let co = group.x * BLOCKS;
  let first = ((group.y + group.z * groups.y) * LANES + local.x) * PIXELS;
  var corners: array<vec3u, PIXELS>;
  for (var i = 0u; i < PIXELS; i++) {
    corners[i] = corner(first + i);
  }
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
      var addresses: array<u32, PIXELS>;
      for (var i = 0u; i < PIXELS; i++) {
        addresses[i] = address(corners[i], ky, kx);
      }
      let tap = (ky * parameters.kernelWidth + kx) * parameters.inChannels;
      for (var ci = 0u; ci < parameters.inChannels; ci++) {
        let row = parameters.wOffset + (tap + ci) * 4u * parameters.outChannels + co;
        let a = weights(row);
        let b = weights(row + 1u);
        let c = weights(row + 2u);
        let d = weights(row + 3u);
        var values: array<vec4f, PIXELS>;
        for (var i = 0u; i < PIXELS; i++) {
          values[i] = load(addresses[i], ci);
        }
        sum0 += mat4x4f(a * values[0], b * values[0], c * values[0], d * values[0]);
        sum1 += mat4x4f(a * values[1], b * values[1], c * values[1], d * values[1]);
        sum2 += mat4x4f(a * values[2], b * values[2], c * values[2], d * values[2]);
        sum3 += mat4x4f(a * values[3], b * values[3], c * values[3], d * values[3]);
        sum4 += mat4x4f(a * values[4], b * values[4], c * values[4], d * values[4]);
        sum5 += mat4x4f(a * values[5], b * values[5], c * values[5], d * values[5]);
        sum6 += mat4x4f(a * values[6], b * values[6], c * values[6], d * values[6]);
        sum7 += mat4x4f(a * values[7], b * values[7], c * values[7], d * values[7]);
      }
    }
  }
  // In loops: what is done to an output is compiled once.
  var sums = array<mat4x4f, PIXELS>(sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7);
  for (var i = 0u; i < min(PIXELS, parameters.pixels - min(first, parameters.pixels)); i++) {
    let at = parameters.yOffset + (first + i) * parameters.yStride + co;
    for (var j = 0u; j < BLOCKS; j++) {
      y[at + j] = Y(finish(add_bias(sums[i][j], co + j), co + j, first + i));
    }
  }
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
  return select(vec4f(0), prologue(T(x[select(parameters.xOffset, address, inside) + ci]), ci), inside);
}

// Of four input channels, a column each, for four output channels.
fn weights(row: u32) -> mat4x4f {
  return mat4x4f(w[row], w[row + parameters.outChannels], w[row + 2u * parameters.outChannels],
                 w[row + 3u * parameters.outChannels]);
}
