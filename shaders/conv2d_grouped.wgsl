// 2-D convolution of groups of 4*n input and 4*m output channels, NHWC.
// y[n, oy, ox, co] = bias[co] + sum over ky, kx, ci of f(x[n, oy*s + ky - p, ox*s + kx - p, g, ci]) * w[ky, kx, ci, co], g the group of co
// f: prologue (lib/prologue_*.wgsl); zero padding is inserted after it. What is done to y as it is stored: lib/output_*.wgsl.
// Lane: COLUMNS neighbouring outputs of a row x 4*BLOCKS output channels of one group, in registers; a row of inputs is loaded once for all
// taps of a row of the kernel. The weights' index depends on the workgroup and loop counters alone, so a compiler for a CPU sees scalar loads
// that it broadcasts; no workgroup memory.
// A workgroup works through `runTiles` times LANES tiles, so that the moments that it may gather (lib/moments_*.wgsl) stay few.
// Traffic: x is read KERNEL_HEIGHT / STRIDE_Y * groupOutputs / BLOCKS times, w once for every LANES*COLUMNS pixels, y written once.
alias T = vec4f;
// How maps lie in memory: as T, or as halves of it.
alias X = T;
alias Y = T;
const LANES: u32 = 8u;
const COLUMNS: u32 = 4u;
const BLOCKS: u32 = 1u;
const KERNEL_WIDTH: u32 = 3u;
const STRIDE_X: u32 = 1u;
const SPAN: u32 = (COLUMNS - 1u) * STRIDE_X + KERNEL_WIDTH; // inputs under COLUMNS outputs

struct Parameters {
  tiles: u32,        // images * outHeight * tileColumns
  tileColumns: u32,
  height: u32,
  width: u32,
  inChannels: u32,   // in vec4f
  groupInputs: u32,  // in vec4f
  outHeight: u32,
  outWidth: u32,
  outChannels: u32,  // in vec4f
  groupOutputs: u32, // in vec4f
  kernelHeight: u32,
  strideY: u32,
  padY: u32,
  padX: u32,
  xOffset: u32,      // in vec4f, like all offsets and strides
  xStride: u32,
  wOffset: u32,
  biasOffset: u32,
  yOffset: u32,
  yStride: u32,
  runTiles: u32,     // of a lane
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
  for (var i = run * parameters.runTiles; i < (run + 1u) * parameters.runTiles; i++) {
    write_tile(i * LANES + local.x, co);
  }
  store_moments(run, local.x, co, parameters.outChannels);
}

fn write_tile(tile: u32, co: u32) {
  let first_input = co / parameters.groupOutputs * parameters.groupInputs;
  let ox = tile % parameters.tileColumns * COLUMNS;
  let out_row = tile / parameters.tileColumns;
  let oy = out_row % parameters.outHeight;
  let image = out_row / parameters.outHeight;
  var sum: array<array<vec4f, BLOCKS>, COLUMNS>;
  for (var ky = 0u; ky < parameters.kernelHeight; ky++) {
    let iy = oy * parameters.strideY + ky - parameters.padY; // wraps to a huge number above the image
    let row = (image * parameters.height + iy) * parameters.width;
    var address: array<u32, SPAN>;
    var inside: array<bool, SPAN>;
    for (var i = 0u; i < SPAN; i++) {
      let ix = ox * STRIDE_X + i - parameters.padX;
      inside[i] = tile < parameters.tiles && iy < parameters.height && ix < parameters.width;
      address[i] = parameters.xOffset + select(0u, (row + ix) * parameters.xStride, inside[i]);
    }
    for (var ci = 0u; ci < parameters.groupInputs; ci++) {
      var values: array<vec4f, SPAN>;
      for (var i = 0u; i < SPAN; i++) {
        values[i] = select(vec4f(0), prologue(T(x[address[i] + first_input + ci]), first_input + ci), inside[i]);
      }
      for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
        let tap = ((ky * KERNEL_WIDTH + kx) * parameters.groupInputs + ci) * 4u;
        for (var j = 0u; j < BLOCKS; j++) {
          let at = parameters.wOffset + tap * parameters.outChannels + co + j;
          let m = mat4x4f(w[at], w[at + parameters.outChannels], w[at + 2u * parameters.outChannels],
                          w[at + 3u * parameters.outChannels]);
          for (var i = 0u; i < COLUMNS; i++) {
            sum[i][j] = multiply_add(sum[i][j], m, values[i * STRIDE_X + kx]);
          }
        }
      }
    }
  }
  let columns = select(0u, min(parameters.outWidth - ox, COLUMNS), tile < parameters.tiles);
  for (var j = 0u; j < BLOCKS; j++) {
    let origin = moments_origin(j, add_bias(sum[0][j], co + j));
    var total = T(0);
    var squares = T(0);
    for (var i = 0u; i < COLUMNS; i++) {
      if (i < columns) {
        let pixel = out_row * parameters.outWidth + ox + i;
        let result = finish(add_bias(sum[i][j], co + j), co + j, pixel);
        y[parameters.yOffset + pixel * parameters.yStride + co + j] = Y(result);
        total += result - origin;
        squares += (result - origin) * (result - origin);
      }
    }
    add_to_moments(j, total, squares);
  }
  add_rows(columns);
}
