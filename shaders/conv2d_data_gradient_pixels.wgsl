// Gradient of a 2-D convolution's input, NHWC, groups = 1, made for software adapters.
// dx[n, iy, ix, ci] (+)= g(sum over ky, kx, co of dy[n, (iy + p - ky) / s, (ix + p - kx) / s, co] * w[ky, kx, ci, co]),
// over the taps where both divisions leave no rest. g: epilogue (lib/epilogue_*.wgsl).
// Lane: PIXELS consecutive input pixels x 4*BLOCKS input channels, in registers; 4*BLOCKS divides cin; weights are indexed by workgroup and
// loop counters alone. A workgroup works through `tiles` tiles of LANES*PIXELS pixels, so that an epilogue's sums over
// pixels stay few. Traffic: dy is read cin / (4*BLOCKS) times, w once for every tile, dx once.
alias T = vec4f;
// How maps lie in memory: as T, or as halves of it.
alias DY = T;
alias DX = T;
const LANES: u32 = 8u;
const PIXELS: u32 = 4u;
const BLOCKS: u32 = 8u;

struct Parameters {
  pixels: u32,       // images * height * width
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
  dyOffset: u32,     // in vec4f, like all offsets and strides
  dyStride: u32,
  wOffset: u32,
  dxOffset: u32,
  dxStride: u32,
  accumulate: u32,   // 1: add to dx
  tiles: u32,        // of a workgroup
  xOffset: u32,      // of an epilogue's input
  xStride: u32,
  low: f32,          // activation of an epilogue: clamp(value, low, high)
  high: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> dy: array<DY>;
@group(0) @binding(2) var<storage, read> w: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dx: array<DX>;

@compute @workgroup_size(LANES)
fn data_gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_id) local: vec3u) {
  let ci = group.x * BLOCKS;
  let run = group.y + group.z * groups.y;
  for (var tile = run * parameters.tiles; tile < (run + 1u) * parameters.tiles; tile++) {
    if (tile * LANES * PIXELS < parameters.pixels) {
      add_tile((tile * LANES + local.x) * PIXELS, ci);
    }
  }
  store_sums(run, local.x, ci);
}

fn add_tile(first: u32, ci: u32) {
  var sum: array<array<vec4f, BLOCKS>, PIXELS>;
  var place: array<vec3u, PIXELS>; // image, row and column in the input, plus padding
  for (var i = 0u; i < PIXELS; i++) {
    let pixel = min(first + i, parameters.pixels - 1u);
    let row = pixel / parameters.width;
    place[i] = vec3u(row / parameters.height, row % parameters.height + parameters.padY,
                     pixel % parameters.width + parameters.padX);
  }
  for (var ky = 0u; ky < parameters.kernelHeight; ky++) {
    for (var kx = 0u; kx < parameters.kernelWidth; kx++) {
      var address: array<u32, PIXELS>;
      var inside: array<bool, PIXELS>;
      for (var i = 0u; i < PIXELS; i++) {
        let ty = place[i].y - ky; // wraps to a huge number above the output
        let tx = place[i].z - kx;
        let oy = ty / parameters.strideY;
        let ox = tx / parameters.strideX;
        inside[i] = oy * parameters.strideY == ty && ox * parameters.strideX == tx
          && oy < parameters.outHeight && ox < parameters.outWidth;
        let at = (place[i].x * parameters.outHeight + oy) * parameters.outWidth + ox;
        address[i] = parameters.dyOffset + select(0u, at * parameters.dyStride, inside[i]);
      }
      let tap = (ky * parameters.kernelWidth + kx) * parameters.inChannels;
      for (var co = 0u; co < parameters.outChannels; co++) {
        var values: array<vec4f, PIXELS>;
        for (var i = 0u; i < PIXELS; i++) {
          values[i] = select(vec4f(0), T(dy[address[i] + co]), inside[i]);
        }
        for (var j = 0u; j < BLOCKS; j++) {
          let row = parameters.wOffset + (tap + ci + j) * 4u * parameters.outChannels + co;
          let m = mat4x4f(w[row], w[row + parameters.outChannels], w[row + 2u * parameters.outChannels],
                          w[row + 3u * parameters.outChannels]);
          for (var i = 0u; i < PIXELS; i++) {
            sum[i][j] = multiply_add(sum[i][j], transpose(m), values[i]);
          }
        }
      }
    }
  }
  for (var j = 0u; j < BLOCKS; j++) {
    var column: array<vec4f, PIXELS>;
    for (var i = 0u; i < PIXELS; i++) {
      column[i] = sum[i][j];
    }
    store(first, ci, j, column);
  }
}

fn add_to_dx(pixel: u32, channel: u32, value: vec4f) {
  let at = parameters.dxOffset + pixel * parameters.dxStride + channel;
  if (parameters.accumulate == 1u) {
    dx[at] = DX(T(dx[at]) + value);
  } else {
    dx[at] = DX(value);
  }
}
