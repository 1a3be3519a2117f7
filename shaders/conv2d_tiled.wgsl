// 2-D convolution, NHWC, groups = 1, made for GPUs: an implicit matrix product (lib/gemm*.wgsl).
// y[n, oy, ox, co] = bias[co] + sum over ky, kx, ci of f(x[n, oy*s + ky - p, ox*s + kx - p, ci]) * w[ky, kx, ci, co]
// f: prologue (lib/prologue_*.wgsl); zero padding is inserted after it. What is done to y as it is stored: lib/output_*.wgsl.
// M: output pixels, N: output channels, K: taps times input channels, without gaps, so that few channels waste nothing.
// Workgroup: TILE_M pixels x TILE_N channels. The tiles of one range of pixels are neighbours, so that x stays in cache.
// POINTWISE: a 1x1 convolution of stride 1 without padding, whose x is the left matrix as it lies.
// Traffic: x is read taps * cout / TILE_N times (taps from cache), w pixels / TILE_M times, y written once.
alias T = vec4f;
// How maps lie in memory: as T, or as halves of it.
alias X = T;
alias Y = T;
const KERNEL_WIDTH: u32 = 3u;
const STRIDE_Y: u32 = 1u;
const STRIDE_X: u32 = 1u;
const POINTWISE: bool = false;

struct Parameters {
  pixels: u32,       // images * outHeight * outWidth
  inner: u32,        // taps * inChannels
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

// Of each row that the thread fetches: its image's first input row, and the input's row and column under the first tap.
var<private> corner: array<vec3u, FETCHES_M>;
var<private> first_pixel: u32;
var<private> first_column: u32; // in vec4f

fn find_corners(thread: u32) {
  for (var i = 0u; i < FETCHES_M; i++) {
    let pixel = first_pixel + fetched_row(thread, i);
    let row = pixel / parameters.outWidth;
    let iy = row % parameters.outHeight * STRIDE_Y - parameters.padY;
    corner[i] = vec3u(row / parameters.outHeight * parameters.height,
                      select(iy, 0x80000000u, pixel >= parameters.pixels), // past the end: below every image
                      pixel % parameters.outWidth * STRIDE_X - parameters.padX);
  }
}

fn fetch_left(thread: u32, i: u32, step: u32) -> vec4f {
  let k = step * (TILE_K / 4u) + fetched_k(thread);
  if (POINTWISE) {
    let pixel = first_pixel + fetched_row(thread, i);
    if (pixel >= parameters.pixels || k >= parameters.inner) {
      return vec4f(0);
    }
    return prologue(T(x[parameters.xOffset + pixel * parameters.xStride + k]), k);
  }
  let tap = k / parameters.inChannels;
  let ci = k % parameters.inChannels;
  let iy = corner[i].y + tap / KERNEL_WIDTH; // wraps to a huge number above the image
  let ix = corner[i].z + tap % KERNEL_WIDTH;
  if (iy >= parameters.height || ix >= parameters.width || k >= parameters.inner) {
    return vec4f(0);
  }
  let pixel = (corner[i].x + iy) * parameters.width + ix;
  return prologue(T(x[parameters.xOffset + pixel * parameters.xStride + ci]), ci);
}

fn fetch_right(thread: u32, i: u32, step: u32) -> vec4f {
  let k = step * TILE_K + fetched_single_k(thread, i, WIDTH_N);
  let column = first_column + thread % WIDTH_N;
  if (k >= 4u * parameters.inner || column >= parameters.outChannels) {
    return vec4f(0);
  }
  return w[parameters.wOffset + k * parameters.outChannels + column];
}

fn store_result(row: u32, column: u32, sum: vec4f) {
  let pixel = first_pixel + row;
  let co = first_column + column;
  if (pixel < parameters.pixels && co < parameters.outChannels) {
    let value = finish(add_bias(sum, co), co, pixel);
    gather(value);
    y[parameters.yOffset + pixel * parameters.yStride + co] = Y(value);
  }
}

@compute @workgroup_size(THREADS)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) thread: u32) {
  first_pixel = (group.y + group.z * groups.y) * TILE_M;
  first_column = group.x * WIDTH_N;
  if (!POINTWISE) {
    find_corners(thread);
  }
  multiply(thread, 0u, (parameters.inner + TILE_K / 4u - 1u) / (TILE_K / 4u));
}
