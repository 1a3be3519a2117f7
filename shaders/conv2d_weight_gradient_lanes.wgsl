// Gradient of a 2-D convolution's weight, NHWC, groups = 1, made for software adapters.
// dw[ky, kx, ci, co] = sum over n, oy, ox of f(x[n, oy*s + ky - p, ox*s + kx - p, ci]) * dy[n, oy, ox, co]
// Lane: four input channels of one tap x 4*BLOCKS output channels, in registers; 4*BLOCKS divides cout; the loop runs over the pixels of one
// split, and dy is indexed by workgroup and loop counters alone. Splits are summed afterwards (sum_partials.wgsl).
// Traffic: dy is read taps * cin / (4*LANES) times, x cout / (4*BLOCKS) times, dw written once per split.
alias T = vec4f;
// How maps lie in memory: as T, or as halves of it.
alias X = T;
alias DY = T;
const LANES: u32 = 8u;
const BLOCKS: u32 = 8u;
const PIXELS: u32 = 4u; // multiplied at once, so that a sum that does not fit the registers is loaded once for four

struct Parameters {
  pixels: u32,       // images * outHeight * outWidth
  splitPixels: u32,  // pixels of one split
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

@compute @workgroup_size(LANES)
fn weight_gradient(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let rows = parameters.kernelHeight * parameters.kernelWidth * parameters.inChannels;
  let row = min(group.x * LANES + local.x, rows - 1u);
  let ci = row % parameters.inChannels;
  let tap = row / parameters.inChannels;
  let ky = tap / parameters.kernelWidth;
  let kx = tap % parameters.kernelWidth;
  let co = group.y * BLOCKS;
  let begin = group.z * parameters.splitPixels;
  let end = min(begin + parameters.splitPixels, parameters.pixels);
  var ox = begin % parameters.outWidth;
  var oy = begin / parameters.outWidth % parameters.outHeight;
  var image = begin / parameters.outWidth / parameters.outHeight;
  var sum: array<array<vec4f, BLOCKS>, 4>;
  for (var first = begin; first < end; first += PIXELS) {
    var values: mat4x4f; // a column a pixel
    for (var k = 0u; k < PIXELS; k++) {
      let iy = oy * parameters.strideY + ky - parameters.padY; // wraps to a huge number above the image
      let ix = ox * parameters.strideX + kx - parameters.padX;
      let inside = iy < parameters.height && ix < parameters.width && first + k < end;
      let at = select(0u, ((image * parameters.height + iy) * parameters.width + ix) * parameters.xStride, inside);
      values[k] = select(vec4f(0), prologue(T(x[parameters.xOffset + at + ci]), ci), inside);
      ox++;
      if (ox == parameters.outWidth) {
        ox = 0u;
        oy++;
        if (oy == parameters.outHeight) {
          oy = 0u;
          image++;
        }
      }
    }
    let channels = transpose(values); // a column a channel
    let source = parameters.dyOffset + co;
    let last = parameters.pixels - 1u;
    for (var j = 0u; j < BLOCKS; j++) {
      let m = mat4x4f(T(dy[source + first * parameters.dyStride + j]),
                      T(dy[source + min(first + 1u, last) * parameters.dyStride + j]),
                      T(dy[source + min(first + 2u, last) * parameters.dyStride + j]),
                      T(dy[source + min(first + 3u, last) * parameters.dyStride + j]));
      for (var i = 0u; i < 4u; i++) {
        sum[i][j] = multiply_add(sum[i][j], m, channels[i]);
      }
    }
  }
  if (group.x * LANES + local.x < rows) {
    let target_row = parameters.dwOffset + (group.z * rows + row) * 4u * parameters.outChannels + co;
    for (var i = 0u; i < 4u; i++) {
      for (var j = 0u; j < BLOCKS; j++) {
        dw[target_row + i * parameters.outChannels + j] = sum[i][j];
      }
    }
  }
}
