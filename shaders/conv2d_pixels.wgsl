// 2-D convolution, NHWC, groups = 1, made for software adapters.
// y[n, oy, ox, co] = bias[co] + sum over ky, kx, ci of f(x[n, oy*s + ky - p, ox*s + kx - p, ci]) * w[ky, kx, ci, co]
// f: prologue (lib/prologue_*.wgsl); zero padding is inserted after it. What is done to y as it is stored: lib/output_*.wgsl.
// Lane: PIXELS consecutive output pixels x 4*BLOCKS output channels, in registers; 4*BLOCKS divides cout. The weights' index depends on the
// workgroup and loop counters alone, so a compiler for a CPU sees scalar loads that it broadcasts; no workgroup memory.
// A workgroup works through `tiles` tiles of LANES*PIXELS pixels, so that the moments that it may gather (lib/moments_*.wgsl) stay few.
// Traffic: x is read cout / (4*BLOCKS) times, w once for every tile, y written once.
alias T = vec4f;
// How maps lie in memory: as T, or as halves of it.
alias X = T;
alias Y = T;
const LANES: u32 = 8u;
const PIXELS: u32 = 4u;
const BLOCKS: u32 = 8u;

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
  tiles: u32,        // of a workgroup
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
  let run = group.y + group.z * groups.y;
  for (var tile = run * parameters.tiles; tile < (run + 1u) * parameters.tiles; tile++) {
    if (tile * LANES * PIXELS < parameters.pixels) {
      write_tile((tile * LANES + local.x) * PIXELS, co);
    }
  }
  store_moments(run, local.x, co, parameters.outChannels);
}

fn write_tile(first: u32, co: u32) {
  var sum: array<array<vec4f, BLOCKS>, PIXELS>;
  var corner: array<vec3u, PIXELS>; // image, and the input's row and column under the kernel's first tap, plus padding
  for (var i = 0u; i < PIXELS; i++) {
    let pixel = min(first + i, parameters.pixels - 1u);
    let row = pixel / parameters.outWidth;
    corner[i] = vec3u(row / parameters.outHeight, (row % parameters.outHeight) * parameters.strideY,
                      (pixel % parameters.outWidth) * parameters.strideX);
  }
  for (var ky = 0u; ky < parameters.kernelHeight; ky++) {
    for (var kx = 0u; kx < parameters.kernelWidth; kx++) {
      var address: array<u32, PIXELS>;
      var inside: array<bool, PIXELS>;
      for (var i = 0u; i < PIXELS; i++) {
        let iy = corner[i].y + ky - parameters.padY; // wraps to a huge number above the image
        let ix = corner[i].z + kx - parameters.padX;
        inside[i] = iy < parameters.height && ix < parameters.width;
        let at = (corner[i].x * parameters.height + iy) * parameters.width + ix;
        address[i] = parameters.xOffset + select(0u, at * parameters.xStride, inside[i]);
      }
      let tap = (ky * parameters.kernelWidth + kx) * parameters.inChannels;
      for (var ci = 0u; ci < parameters.inChannels; ci++) {
        var values: array<vec4f, PIXELS>;
        for (var i = 0u; i < PIXELS; i++) {
          values[i] = select(vec4f(0), prologue(T(x[address[i] + ci]), ci), inside[i]);
        }
        let row = parameters.wOffset + (tap + ci) * 4u * parameters.outChannels + co;
        for (var j = 0u; j < BLOCKS; j++) {
          let m = mat4x4f(w[row + j], w[row + parameters.outChannels + j], w[row + 2u * parameters.outChannels + j],
                          w[row + 3u * parameters.outChannels + j]);
          for (var i = 0u; i < PIXELS; i++) {
            sum[i][j] = multiply_add(sum[i][j], m, values[i]);
          }
        }
      }
    }
  }
  for (var j = 0u; j < BLOCKS; j++) {
    let origin = moments_origin(j, add_bias(sum[0][j], co + j));
    var total = T(0);
    var squares = T(0);
    for (var i = 0u; i < PIXELS; i++) {
      if (first + i < parameters.pixels) {
        let result = finish(add_bias(sum[i][j], co + j), co + j, first + i);
        y[parameters.yOffset + (first + i) * parameters.yStride + co + j] = Y(result);
        total += result - origin;
        squares += (result - origin) * (result - origin);
      }
    }
    add_to_moments(j, total, squares);
  }
  add_rows(min(max(parameters.pixels, first) - first, PIXELS));
}
