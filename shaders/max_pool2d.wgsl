// 2-D max pooling, NHWC, padding never wins: y[n, oy, ox, c] = max of f(x) over the window, and indices: the tap
// ky * kernelWidth + kx of the first maximum in reading order, as PyTorch's. f: prologue (lib/prologue_*.wgsl).
// A lane may gather the moments of y (lib/moments_*.wgsl).
// Lanes are channels (lib/rows.wgsl), rows are the pixels of the result; a lane's taps are one word (lib/taps_*.wgsl).
// Traffic: x kernel^2 / stride^2 times (cached), y and indices once.
alias T = f32;
alias I = u32;
// How maps lie in memory: as T, or as halves of it.
alias X = T;
alias Y = T;

struct Parameters {
  channels: u32,   // in T, like all offsets and strides
  rows: u32,
  chunkRows: u32,
  height: u32,
  width: u32,
  outHeight: u32,
  outWidth: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  strideY: u32,
  strideX: u32,
  padY: u32,
  padX: u32,
  xOffset: u32,
  xStride: u32,
  yOffset: u32,
  yStride: u32,
  indicesOffset: u32, // in words
  indicesStride: u32,
  inChannels: u32, // as channels
  low: f32,        // activation of the prologue: clamp(value, low, high)
  high: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> x: array<X>;
@group(0) @binding(2) var<storage, read_write> y: array<Y>;
@group(0) @binding(3) var<storage, read_write> indices: array<u32>;

@compute @workgroup_size(LANES, ROWS)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels || chunk_begin(chunk) >= parameters.rows) {
    return;
  }
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    let ox = row % parameters.outWidth;
    let oy = row / parameters.outWidth % parameters.outHeight;
    let image = row / parameters.outWidth / parameters.outHeight;
    var best = T(-3.4028234663852886e38);
    var tap = I(0);
    for (var ky = 0u; ky < parameters.kernelHeight; ky++) {
      for (var kx = 0u; kx < parameters.kernelWidth; kx++) {
        let iy = oy * parameters.strideY + ky - parameters.padY; // wraps to a huge number above the image
        let ix = ox * parameters.strideX + kx - parameters.padX;
        if (iy < parameters.height && ix < parameters.width) {
          let pixel = (image * parameters.height + iy) * parameters.width + ix;
          let value = prologue(T(x[parameters.xOffset + pixel * parameters.xStride + channel]), channel);
          tap = select(tap, I(ky * parameters.kernelWidth + kx), value > best);
          best = max(best, value);
        }
      }
    }
    y[parameters.yOffset + row * parameters.yStride + channel] = Y(best);
    let distance = best - moments_origin(0u, best);
    add_to_moments(0u, distance, distance * distance);
    add_rows(1u);
    indices[parameters.indicesOffset + row * parameters.indicesStride + channel] = pack_taps(tap);
  }
  store_moments(chunk, 0u, channel, parameters.channels);
}
