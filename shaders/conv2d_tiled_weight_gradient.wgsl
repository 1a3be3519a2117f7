// Gradient of a 2-D convolution's weight, NHWC, groups = 1, made for GPUs: an implicit matrix product (lib/gemm*.wgsl).
// dw[ky, kx, ci, co] = sum over n, oy, ox of f(x[n, oy*s + ky - p, ox*s + kx - p, ci]) * dy[n, oy, ox, co]
// f: prologue (lib/prologue_*.wgsl); zero padding is inserted after it.
// M: taps times input channels, N: output channels, K: output pixels, which are many where the results are few: a
// workgroup computes TILE_M x TILE_N results over the pixels of one split; sum_partials.wgsl adds up the splits.
// POINTWISE: a 1x1 convolution of stride 1 without padding, whose x is the left matrix as it lies.
// Traffic: x is read taps * cout / TILE_N times, dy taps * cin / TILE_M times, dw written once per split.
alias T = vec4f;
// How maps lie in memory: as T, or as halves of it.
alias X = T;
alias DY = T;
const KERNEL_WIDTH: u32 = 3u;
const STRIDE_Y: u32 = 1u;
const STRIDE_X: u32 = 1u;
const POINTWISE: bool = false;

struct Parameters {
  pixels: u32,       // images * outHeight * outWidth
  splitSteps: u32,   // steps of TILE_K pixels of one split
  rows: u32,         // taps * inChannels
  height: u32,
  width: u32,
  inChannels: u32,   // in vec4f
  outHeight: u32,
  outWidth: u32,
  outChannels: u32,  // in vec4f
  padY: u32,
  padX: u32,
  xOffset: u32,      // in vec4f, like all offsets and strides
  xStride: u32,
  dyOffset: u32,
  dyStride: u32,
  dwOffset: u32,
  low: f32,          // activation of the prologue: clamp(value, low, high)
  high: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> x: array<X>;
@group(0) @binding(2) var<storage, read> dy: array<DY>;
@group(0) @binding(3) var<storage, read_write> dw: array<vec4f>; // [split][ky, kx, ci, co]

var<private> first_row: u32;    // in vec4f, like all rows but those of dw
var<private> first_column: u32; // in vec4f
var<private> split: u32;
var<private> tap: vec3u;        // of the row that the thread fetches: row and column in the kernel, input channel in vec4f

fn fetch_left(thread: u32, i: u32, step: u32) -> vec4f {
  let pixel = step * TILE_K + fetched_single_k(thread, i, WIDTH_M);
  if (pixel >= parameters.pixels || first_row + thread % WIDTH_M >= parameters.rows) {
    return vec4f(0);
  }
  if (POINTWISE) {
    return prologue(T(x[parameters.xOffset + pixel * parameters.xStride + tap.z]), tap.z);
  }
  let row = pixel / parameters.outWidth;
  let iy = row % parameters.outHeight * STRIDE_Y + tap.x - parameters.padY; // wraps to a huge number above the image
  let ix = pixel % parameters.outWidth * STRIDE_X + tap.y - parameters.padX;
  if (iy >= parameters.height || ix >= parameters.width) {
    return vec4f(0);
  }
  let source = (row / parameters.outHeight * parameters.height + iy) * parameters.width + ix;
  return prologue(T(x[parameters.xOffset + source * parameters.xStride + tap.z]), tap.z);
}

fn fetch_right(thread: u32, i: u32, step: u32) -> vec4f {
  let pixel = step * TILE_K + fetched_single_k(thread, i, WIDTH_N);
  let column = first_column + thread % WIDTH_N;
  if (pixel >= parameters.pixels || column >= parameters.outChannels) {
    return vec4f(0);
  }
  return T(dy[parameters.dyOffset + pixel * parameters.dyStride + column]);
}

fn store_result(tile_row: u32, column: u32, sum: vec4f) {
  let row = 4u * first_row + tile_row;
  let co = first_column + column;
  if (row < 4u * parameters.rows && co < parameters.outChannels) {
    dw[parameters.dwOffset + (split * 4u * parameters.rows + row) * parameters.outChannels + co] = sum;
  }
}

@compute @workgroup_size(THREADS)
fn weight_gradient(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  first_column = group.x * WIDTH_N;
  first_row = group.y * WIDTH_M;
  let fetched = first_row + thread % WIDTH_M;
  let index = fetched / parameters.inChannels;
  tap = vec3u(index / KERNEL_WIDTH, index % KERNEL_WIDTH, fetched % parameters.inChannels);
  split = group.z;
  let steps = (parameters.pixels + TILE_K - 1u) / TILE_K;
  let begin = group.z * parameters.splitSteps;
  multiply(thread, begin, min(begin + parameters.splitSteps, steps));
}
