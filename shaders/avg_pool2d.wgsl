// 2-D average pooling, NHWC: y[n, oy, ox, c] = sum over the window of f(x) / divisor, the divisor being the whole kernel
// (countPadding 1, PyTorch's count_include_pad) or the part of it inside the image (lib/pool_divisor.wgsl).
// f: prologue (lib/prologue_*.wgsl). Lanes are channels (lib/rows.wgsl), rows are the pixels of the result.
// Traffic: x kernel^2 / stride^2 times, y once.
alias T = f32;
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
  countPadding: u32,
  xOffset: u32,
  xStride: u32,
  yOffset: u32,
  yStride: u32,
  inChannels: u32, // as channels
  low: f32,        // activation of the prologue: clamp(value, low, high)
  high: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> x: array<X>;
@group(0) @binding(2) var<storage, read_write> y: array<Y>;

@compute @workgroup_size(LANES, ROWS)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels) {
    return;
  }
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    let ox = row % parameters.outWidth;
    let oy = row / parameters.outWidth % parameters.outHeight;
    let image = row / parameters.outWidth / parameters.outHeight;
    var sum = T(0);
    for (var ky = 0u; ky < parameters.kernelHeight; ky++) {
      for (var kx = 0u; kx < parameters.kernelWidth; kx++) {
        let iy = oy * parameters.strideY + ky - parameters.padY; // wraps to a huge number above the image
        let ix = ox * parameters.strideX + kx - parameters.padX;
        if (iy < parameters.height && ix < parameters.width) {
          let pixel = (image * parameters.height + iy) * parameters.width + ix;
          sum += prologue(T(x[parameters.xOffset + pixel * parameters.xStride + channel]), channel);
        }
      }
    }
    y[parameters.yOffset + row * parameters.yStride + channel] = Y(sum / divisor(oy, ox));
  }
}
