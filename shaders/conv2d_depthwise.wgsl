// Depthwise 2-D convolution, NHWC: every channel has a kernel of its own (lib/tap_vector.wgsl), or every four (lib/tap_matrix.wgsl).
// y[n, oy, ox, c] = bias[c] + sum over ky, kx of f(x[n, oy*s + ky - p, ox*s + kx - p, c]) * w[ky, kx, c]; of four, a matrix's product
// f: prologue (lib/prologue_*.wgsl); zero padding is inserted after it. What is done to y as it is stored: lib/output_*.wgsl.
// Lane: four channels x COLUMNS neighbouring outputs, walking down `rows` output rows. Each input row is loaded once and added to all
// output rows that it touches, which wait in registers; weights stay in registers too. Lanes of a workgroup are neighbouring channels, so
// that loads are contiguous and the borders are the same for all of them.
// A lane may gather the moments of what it writes (lib/moments_*.wgsl).
// Traffic: x is read 1 + (KERNEL_WIDTH - STRIDE_X) / (STRIDE_X * COLUMNS) times, w once a lane, y written once.
alias T = vec4f;
// How maps lie in memory: as T, or as halves of it.
alias X = T;
alias Y = T;
const LANES: u32 = 8u;   // side by side: channels
const TILES: u32 = 1u;   // below each other: tiles
const COLUMNS: u32 = 4u;
const KERNEL_HEIGHT: u32 = 3u;
const KERNEL_WIDTH: u32 = 3u;
const STRIDE_Y: u32 = 1u;
const STRIDE_X: u32 = 1u;
const PENDING: u32 = (KERNEL_HEIGHT + STRIDE_Y - 1u) / STRIDE_Y; // output rows that one input row is added to
const SPAN: u32 = (COLUMNS - 1u) * STRIDE_X + KERNEL_WIDTH;      // inputs under COLUMNS outputs

struct Parameters {
  tiles: u32,        // images * tileRows * tileColumns
  tileRows: u32,
  tileColumns: u32,
  rows: u32,         // output rows of a tile
  height: u32,
  width: u32,
  inChannels: u32,   // in vec4f
  outHeight: u32,
  outWidth: u32,
  outChannels: u32,  // in vec4f; as many as inChannels
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

@compute @workgroup_size(LANES, TILES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_id) local: vec3u) {
  let channel = group.x * LANES + local.x;
  let tile = (group.y + group.z * groups.y) * TILES + local.y;
  if (channel >= parameters.inChannels || tile >= parameters.tiles) {
    return;
  }
  let ox = tile % parameters.tileColumns * COLUMNS;
  let begin = tile / parameters.tileColumns % parameters.tileRows * parameters.rows;
  let end = min(begin + parameters.rows, parameters.outHeight);
  let image = tile / parameters.tileColumns / parameters.tileRows;
  var weights: array<array<Tap, KERNEL_WIDTH>, KERNEL_HEIGHT>;
  for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
    for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
      weights[ky][kx] = load_tap(ky * KERNEL_WIDTH + kx, channel);
    }
  }
  var sum: array<array<vec4f, COLUMNS>, PENDING>; // of output rows oy, oy - 1, ...
  for (var oy = begin; oy < end + PENDING - 1u; oy++) {
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
                sum[j][i] += apply_tap(weights[ky][kx], values[i * STRIDE_X + kx]);
              }
            }
          }
        }
      }
    }
    let done = oy + 1u - PENDING;
    if (done >= begin && done < end) {
      let row = (image * parameters.outHeight + done) * parameters.outWidth;
      let origin = moments_origin(0u, add_bias(sum[PENDING - 1u][0], channel));
      var total = T(0);
      var squares = T(0);
      for (var i = 0u; i < COLUMNS; i++) {
        if (ox + i < parameters.outWidth) {
          let result = finish(add_bias(sum[PENDING - 1u][i], channel), channel, row + ox + i);
          y[parameters.yOffset + (row + ox + i) * parameters.yStride + channel] = Y(result);
          total += result - origin;
          squares += (result - origin) * (result - origin);
        }
      }
      add_to_moments(0u, total, squares);
      add_rows(min(parameters.outWidth - ox, COLUMNS));
    }
    for (var i = 0u; i < COLUMNS; i++) {
      for (var j = PENDING - 1u; j > 0u; j--) {
        sum[j][i] = sum[j - 1u][i];
      }
      sum[0][i] = vec4f(0);
    }
  }
  store_moments(tile, 0u, channel, parameters.inChannels);
}
