// Gradient of a depthwise 2-D convolution's input, NHWC: every channel is a group (lib/tap_vector.wgsl), or every four (lib/tap_matrix.wgsl).
// dx[n, iy, ix, c] (+)= sum over ky, kx of dy[n, (iy + p - ky) / s, (ix + p - kx) / s, c] * w[ky, kx, c], over the taps where both divisions
// leave no rest.
// Lane: four channels x COLUMNS neighbouring inputs, walking down the rows of dy. Each row of dy is loaded once and added to the
// KERNEL_HEIGHT rows of dx that it touches, which wait in registers. Tiles begin at multiples of the stride in the padded input, so that
// the compiler knows which tap of which output falls on which input. Lanes of a workgroup are neighbouring channels.
// Traffic: dy is read 1 + REACH_X * STRIDE_X / COLUMNS times, w once a lane, dx written once.
alias T = vec4f;
// How maps lie in memory: as T, or as halves of it.
alias DY = T;
alias DX = T;
const LANES: u32 = 8u;   // side by side: channels
const TILES: u32 = 1u;   // below each other: tiles
const COLUMNS: u32 = 4u; // a multiple of STRIDE_X
const KERNEL_HEIGHT: u32 = 3u;
const KERNEL_WIDTH: u32 = 3u;
const STRIDE_Y: u32 = 1u;
const STRIDE_X: u32 = 1u;
const REACH_Y: u32 = (KERNEL_HEIGHT - 1u) / STRIDE_Y; // rows of dy above the one that begins at a row
const REACH_X: u32 = (KERNEL_WIDTH - 1u) / STRIDE_X;
const PENDING: u32 = (REACH_Y + 1u) * STRIDE_Y;       // rows of dx that one row of dy is added to, rounded up
const SPAN: u32 = COLUMNS / STRIDE_X + REACH_X;       // outputs over COLUMNS inputs

struct Parameters {
  tiles: u32,        // images * tileRows * tileColumns
  tileRows: u32,
  tileColumns: u32,
  rows: u32,         // rows of dy of a tile, each with the STRIDE_Y rows of dx that begin where it does
  firstRow: u32,     // the row and column of dy where the unpadded input begins
  firstColumn: u32,
  height: u32,
  width: u32,
  inChannels: u32,   // in vec4f
  outHeight: u32,
  outWidth: u32,
  padY: u32,
  padX: u32,
  dyOffset: u32,     // in vec4f, like all offsets and strides
  dyStride: u32,
  wOffset: u32,
  dxOffset: u32,
  dxStride: u32,
  accumulate: u32,   // 1: add to dx
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> dy: array<DY>;
@group(0) @binding(2) var<storage, read> w: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dx: array<DX>;

@compute @workgroup_size(LANES, TILES)
fn data_gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_id) local: vec3u) {
  let channel = group.x * LANES + local.x;
  let tile = (group.y + group.z * groups.y) * TILES + local.y;
  if (channel >= parameters.inChannels || tile >= parameters.tiles) {
    return;
  }
  let first = parameters.firstColumn + tile % parameters.tileColumns * (COLUMNS / STRIDE_X); // of dy
  let begin = parameters.firstRow + tile / parameters.tileColumns % parameters.tileRows * parameters.rows;
  let image = tile / parameters.tileColumns / parameters.tileRows;
  var weights: array<array<Tap, KERNEL_WIDTH>, KERNEL_HEIGHT>;
  for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
    for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
      weights[ky][kx] = load_tap(ky * KERNEL_WIDTH + kx, channel);
    }
  }
  var sum: array<array<vec4f, COLUMNS>, PENDING>; // of rows oy * STRIDE_Y, oy * STRIDE_Y + 1, ... of the padded input
  for (var step = 0u; step < parameters.rows + REACH_Y; step++) {
    let oy = begin + step - REACH_Y; // wraps to a huge number above the output, and so does ox
    if (oy < parameters.outHeight) {
      let row = (image * parameters.outHeight + oy) * parameters.outWidth;
      var values: array<vec4f, SPAN>;
      for (var i = 0u; i < SPAN; i++) {
        let ox = first + i - REACH_X;
        let inside = ox < parameters.outWidth;
        let at = parameters.dyOffset + select(0u, (row + ox) * parameters.dyStride, inside) + channel;
        values[i] = select(vec4f(0), T(dy[at]), inside);
      }
      for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
        for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
          for (var i = 0u; i < SPAN; i++) {
            let column = i * STRIDE_X + kx - REACH_X * STRIDE_X; // wraps left of the tile
            if (column < COLUMNS) {
              sum[ky][column] += apply_transposed_tap(weights[ky][kx], values[i]);
            }
          }
        }
      }
    }
    for (var r = 0u; r < STRIDE_Y; r++) {
      let iy = oy * STRIDE_Y + r - parameters.padY;
      if (step >= REACH_Y && iy < parameters.height) {
        for (var i = 0u; i < COLUMNS; i++) {
          let ix = first * STRIDE_X + i - parameters.padX;
          if (ix < parameters.width) {
            let at = parameters.dxOffset + ((image * parameters.height + iy) * parameters.width + ix) * parameters.dxStride + channel;
            if (parameters.accumulate == 1u) {
              dx[at] = DX(T(dx[at]) + sum[r][i]);
            } else {
              dx[at] = DX(sum[r][i]);
            }
          }
        }
      }
    }
    for (var i = 0u; i < COLUMNS; i++) {
      for (var r = 0u; r < PENDING; r++) {
        if (r + STRIDE_Y < PENDING) {
          sum[r][i] = sum[r + STRIDE_Y][i];
        } else {
          sum[r][i] = vec4f(0);
        }
      }
    }
  }
}
