// Gradient of a 2-D convolution's input, NHWC, groups = 1, made for GPUs: an implicit matrix product (lib/gemm*.wgsl).
// dx[n, iy, ix, ci] (+)= g(sum over ky, kx, co of dy[n, (iy + p - ky) / s, (ix + p - kx) / s, co] * w[ky, kx, ci, co]),
// over the taps where both divisions leave no rest. g: epilogue (lib/epilogue_*_tiles.wgsl).
// M: input pixels, N: input channels, K: taps times output channels, along which both operands are fetched: w is
// transposed on the way to registers. Workgroup: TILE_M pixels x TILE_N channels, neighbours as in conv2d_tiled.wgsl.
// POINTWISE: a 1x1 convolution of stride 1 without padding, whose dy is the left matrix as it lies.
// Traffic: dy is read taps * cin / TILE_N times (taps from cache), w pixels / TILE_M times, dx once.
alias T = vec4f;
// How maps lie in memory: as T, or as halves of it.
alias DY = T;
alias DX = T;
const KERNEL_WIDTH: u32 = 3u;
const STRIDE_Y: u32 = 1u;
const STRIDE_X: u32 = 1u;
const POINTWISE: bool = false;

struct Parameters {
  pixels: u32,       // images * height * width
  inner: u32,        // taps * outChannels
  height: u32,
  width: u32,
  inChannels: u32,   // in vec4f
  outHeight: u32,
  outWidth: u32,
  outChannels: u32,  // in vec4f
  padY: u32,
  padX: u32,
  dyOffset: u32,     // in vec4f, like all offsets and strides
  dyStride: u32,
  wOffset: u32,
  dxOffset: u32,
  dxStride: u32,
  accumulate: u32,   // 1: add to dx
  xOffset: u32,      // of an epilogue's input
  xStride: u32,
  low: f32,          // activation of an epilogue: clamp(value, low, high)
  high: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> dy: array<DY>;
@group(0) @binding(2) var<storage, read> w: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dx: array<DX>;

// Of each row that the thread fetches: its image's first output row, and its row and column in the padded input.
var<private> place: array<vec3u, FETCHES_M>;
var<private> first_pixel: u32;
var<private> first_column: u32; // in vec4f

fn find_places(thread: u32) {
  for (var i = 0u; i < FETCHES_M; i++) {
    let pixel = first_pixel + fetched_row(thread, i);
    let row = pixel / parameters.width;
    place[i] = vec3u(row / parameters.height * parameters.outHeight, row % parameters.height + parameters.padY,
                     pixel % parameters.width + parameters.padX);
  }
}

fn fetch_left(thread: u32, i: u32, step: u32) -> vec4f {
  let k = step * (TILE_K / 4u) + fetched_k(thread);
  let pixel = first_pixel + fetched_row(thread, i);
  if (pixel >= parameters.pixels || k >= parameters.inner) {
    return vec4f(0);
  }
  if (POINTWISE) {
    return T(dy[parameters.dyOffset + pixel * parameters.dyStride + k]);
  }
  let tap = k / parameters.outChannels;
  let ty = place[i].y - tap / KERNEL_WIDTH; // wraps to a huge number above the output
  let tx = place[i].z - tap % KERNEL_WIDTH;
  let oy = ty / STRIDE_Y;
  let ox = tx / STRIDE_X;
  if (oy * STRIDE_Y != ty || ox * STRIDE_X != tx || oy >= parameters.outHeight || ox >= parameters.outWidth) {
    return vec4f(0);
  }
  let source = (place[i].x + oy) * parameters.outWidth + ox;
  return T(dy[parameters.dyOffset + source * parameters.dyStride + k % parameters.outChannels]);
}

fn fetch_right(thread: u32, i: u32, step: u32) -> vec4f {
  let k = step * (TILE_K / 4u) + fetched_k(thread);
  let ci = 4u * first_column + fetched_row(thread, i);
  if (k >= parameters.inner || ci >= 4u * parameters.inChannels) {
    return vec4f(0);
  }
  if (POINTWISE) {
    return w[parameters.wOffset + ci * parameters.outChannels + k];
  }
  let tap = k / parameters.outChannels;
  let row = tap * 4u * parameters.inChannels + ci;
  return w[parameters.wOffset + row * parameters.outChannels + k % parameters.outChannels];
}

fn store_result(row: u32, column: u32, sum: vec4f) {
  let pixel = first_pixel + row;
  let ci = first_column + column;
  if (pixel < parameters.pixels && ci < parameters.inChannels) {
    let at = parameters.dxOffset + pixel * parameters.dxStride + ci;
    let gradient = gradient_of(pixel, ci, sum);
    if (parameters.accumulate == 1u) {
      dx[at] = DX(T(dx[at]) + gradient);
    } else {
      dx[at] = DX(gradient);
    }
  }
}

@compute @workgroup_size(THREADS)
fn data_gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_index) thread: u32) {
  first_pixel = (group.y + group.z * groups.y) * TILE_M;
  first_column = group.x * WIDTH_N;
  if (!POINTWISE) {
    find_places(thread);
  }
  multiply(thread, 0u, (parameters.inner + TILE_K / 4u - 1u) / (TILE_K / 4u));
}
