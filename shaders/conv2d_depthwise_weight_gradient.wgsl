// Gradient of a depthwise 2-D convolution's weight, NHWC: every channel is a group (lib/tap_gradient_vector.wgsl), or every four
// (lib/tap_gradient_matrix.wgsl).
// dw[ky, kx, c] = sum over n, oy, ox of f(x[n, oy*s + ky - p, ox*s + kx - p, c]) * dy[n, oy, ox, c]
// Lane: four channels of all taps, in registers, over the tiles of one split: COLUMNS neighbouring outputs, walking down `rows` output rows.
// Each row of x is loaded once and multiplied with all rows of dy that it meets, which wait in registers. Lanes of a workgroup are
// neighbouring channels. Splits are summed afterwards (sum_partials.wgsl).
// Traffic: x is read 1 + (KERNEL_WIDTH - STRIDE_X) / (STRIDE_X * COLUMNS) times, dy once, dw written once per split.
alias T = vec4f;
// How maps lie in memory: as T, or as halves of it.
alias X = T;
alias DY = T;
const LANES: u32 = 8u;   // side by side: channels
const TILES: u32 = 1u;   // below each other: splits
const COLUMNS: u32 = 4u;
const KERNEL_HEIGHT: u32 = 3u;
const KERNEL_WIDTH: u32 = 3u;
const STRIDE_Y: u32 = 1u;
const STRIDE_X: u32 = 1u;
const PENDING: u32 = (KERNEL_HEIGHT + STRIDE_Y - 1u) / STRIDE_Y; // rows of dy that one row of x meets
const SPAN: u32 = (COLUMNS - 1u) * STRIDE_X + KERNEL_WIDTH;      // inputs under COLUMNS outputs

struct Parameters {
  tiles: u32,        // images * tileRows * tileColumns
  tileRows: u32,
  tileColumns: u32,
  rows: u32,         // output rows of a tile
  splitTiles: u32,   // tiles of one split
  splits: u32,
  height: u32,
  width: u32,
  inChannels: u32,   // in vec4f
  outHeight: u32,
  outWidth: u32,
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
@group(0) @binding(3) var<storage, read_write> dw: array<vec4f>; // [split][ky, kx, c]

@compute @workgroup_size(LANES, TILES)
fn weight_gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                   @builtin(local_invocation_id) local: vec3u) {
  let channel = group.x * LANES + local.x;
  let split = (group.y + group.z * groups.y) * TILES + local.y;
  if (channel >= parameters.inChannels || split >= parameters.splits) {
    return;
  }
  var sum: array<array<Tap, KERNEL_WIDTH>, KERNEL_HEIGHT>;
  let last = min((split + 1u) * parameters.splitTiles, parameters.tiles);
  for (var tile = split * parameters.splitTiles; tile < last; tile++) {
    let ox = tile % parameters.tileColumns * COLUMNS;
    let begin = tile / parameters.tileColumns % parameters.tileRows * parameters.rows;
    let end = min(begin + parameters.rows, parameters.outHeight);
    let image = tile / parameters.tileColumns / parameters.tileRows;
    var gradients: array<array<vec4f, COLUMNS>, PENDING>; // of output rows oy, oy - 1, ...
    for (var oy = begin; oy < end + PENDING - 1u; oy++) {
      for (var i = 0u; i < COLUMNS; i++) {
        for (var j = PENDING - 1u; j > 0u; j--) {
          gradients[j][i] = gradients[j - 1u][i];
        }
        let inside = oy < end && ox + i < parameters.outWidth;
        let at = ((image * parameters.outHeight + oy) * parameters.outWidth + ox + i) * parameters.dyStride;
        gradients[0][i] = select(vec4f(0), T(dy[parameters.dyOffset + select(0u, at, inside) + channel]), inside);
      }
      for (var s = 0u; s < STRIDE_Y; s++) {
        let iy = oy * STRIDE_Y + s - parameters.padY; // wraps to a huge number above the image
        if (iy < parameters.height) {
          let row = (image * parameters.height + iy) * parameters.width;
          var values: array<vec4f, SPAN>;
          for (var i = 0u; i < SPAN; i++) {
            let ix = ox * STRIDE_X + i - parameters.padX;
            let inside = ix < parameters.width;
            let at = parameters.xOffset + select(0u, (row + ix) * parameters.xStride, inside) + channel;
            values[i] = select(vec4f(0), prologue(T(x[at]), channel), inside);
          }
          for (var j = 0u; j < PENDING; j++) {
            let ky = j * STRIDE_Y + s;
            if (ky < KERNEL_HEIGHT) {
              for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
                for (var i = 0u; i < COLUMNS; i++) {
                  sum[ky][kx] += tap_product(values[i * STRIDE_X + kx], gradients[j][i]);
                }
              }
            }
          }
        }
      }
    }
  }
  for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
    for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
      store_tap((split * KERNEL_HEIGHT + ky) * KERNEL_WIDTH + kx, channel, sum[ky][kx]);
    }
  }
}
