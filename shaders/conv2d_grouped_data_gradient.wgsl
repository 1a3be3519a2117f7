// Gradient of the input of a 2-D convolution of groups of 4*n input and 4*m output channels, NHWC.
// dx[n, iy, ix, ci] (+)= sum over ky, kx, co of dy[n, (iy + p - ky) / s, (ix + p - kx) / s, co] * w[ky, kx, ci, co], co in the group of ci,
// over the taps where both divisions leave no rest.
// Lane: COLUMNS neighbouring inputs of a row x 4*BLOCKS input channels of one group, in registers; a row of dy is loaded once for all taps of
// a row of the kernel. Tiles begin at multiples of the stride in the padded input, so that the compiler knows which tap of which output falls
// on which input. The weights' index depends on the workgroup and loop counters alone.
// Traffic: dy is read KERNEL_HEIGHT / STRIDE_Y * groupInputs / BLOCKS times, w once for every LANES*COLUMNS pixels, dx written once.
alias T = vec4f;
// How maps lie in memory: as T, or as halves of it.
alias DY = T;
alias DX = T;
const LANES: u32 = 8u;
const COLUMNS: u32 = 4u; // a multiple of STRIDE_X
const BLOCKS: u32 = 1u;
const KERNEL_WIDTH: u32 = 3u;
const STRIDE_X: u32 = 1u;
const REACH_X: u32 = (KERNEL_WIDTH - 1u) / STRIDE_X; // outputs left of the one that begins at a column
const SPAN: u32 = COLUMNS / STRIDE_X + REACH_X;      // outputs over COLUMNS inputs

struct Parameters {
  tiles: u32,        // images * tileRows * tileColumns, for each row of a stride
  tileRows: u32,
  tileColumns: u32,
  firstRow: u32,     // the row and column of dy where the unpadded input begins
  firstColumn: u32,
  height: u32,
  width: u32,
  groupInputs: u32,  // in vec4f
  outHeight: u32,
  outWidth: u32,
  outChannels: u32,  // in vec4f
  groupOutputs: u32, // in vec4f
  kernelHeight: u32,
  strideY: u32,
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

@compute @workgroup_size(LANES)
fn data_gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_id) local: vec3u) {
  let ci = group.x * BLOCKS;
  let first_output = ci / parameters.groupInputs * parameters.groupOutputs;
  let index = group.y + group.z * groups.y;
  let rest = index % parameters.strideY; // of the row in the padded input
  let tile = index / parameters.strideY * LANES + local.x;
  let first = parameters.firstColumn + tile % parameters.tileColumns * (COLUMNS / STRIDE_X);
  let first_row = parameters.firstRow + tile / parameters.tileColumns % parameters.tileRows;
  let image = tile / parameters.tileColumns / parameters.tileRows;
  var sum: array<array<vec4f, BLOCKS>, COLUMNS>;
  for (var ky = rest; ky < parameters.kernelHeight; ky += parameters.strideY) {
    let oy = first_row - ky / parameters.strideY; // wraps to a huge number above the output, and so does ox
    let row = (image * parameters.outHeight + oy) * parameters.outWidth;
    var address: array<u32, SPAN>;
    var inside: array<bool, SPAN>;
    for (var i = 0u; i < SPAN; i++) {
      let ox = first + i - REACH_X;
      inside[i] = tile < parameters.tiles && oy < parameters.outHeight && ox < parameters.outWidth;
      address[i] = parameters.dyOffset + select(0u, (row + ox) * parameters.dyStride, inside[i]);
    }
    for (var co = first_output; co < first_output + parameters.groupOutputs; co++) {
      var values: array<vec4f, SPAN>;
      for (var i = 0u; i < SPAN; i++) {
        values[i] = select(vec4f(0), T(dy[address[i] + co]), inside[i]);
      }
      for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
        let tap = (ky * KERNEL_WIDTH + kx) * parameters.groupInputs + ci % parameters.groupInputs;
        for (var j = 0u; j < BLOCKS; j++) {
          let at = parameters.wOffset + (tap + j) * 4u * parameters.outChannels + co;
          let m = mat4x4f(w[at], w[at + parameters.outChannels], w[at + 2u * parameters.outChannels],
                          w[at + 3u * parameters.outChannels]);
          for (var i = 0u; i < SPAN; i++) {
            let column = i * STRIDE_X + kx - REACH_X * STRIDE_X; // wraps left of the tile
            if (column < COLUMNS) {
              sum[column][j] = multiply_add(sum[column][j], transpose(m), values[i]);
            }
          }
        }
      }
    }
  }
  let iy = first_row * parameters.strideY + rest - parameters.padY;
  if (tile >= parameters.tiles || iy >= parameters.height) {
    return;
  }
  for (var i = 0u; i < COLUMNS; i++) {
    let ix = first * STRIDE_X + i - parameters.padX;
    if (ix < parameters.width) {
      let at = parameters.dxOffset + ((image * parameters.height + iy) * parameters.width + ix) * parameters.dxStride + ci;
      for (var j = 0u; j < BLOCKS; j++) {
        if (parameters.accumulate == 1u) {
          dx[at + j] = DX(T(dx[at + j]) + sum[i][j]);
        } else {
          dx[at + j] = DX(sum[i][j]);
        }
      }
    }
  }
}
