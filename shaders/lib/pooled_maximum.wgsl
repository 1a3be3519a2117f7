// What max pooling passes on to a pixel: sum of dy over the windows whose first maximum it is (lib/taps_*.wgsl).
alias I = u32;

@group(0) @binding(6) var<storage, read> taps: array<u32>;

fn pooled_gradient(row: u32, channel: u32) -> T {
  let ix = row % parameters.width;
  let iy = row / parameters.width % parameters.height;
  let image = row / parameters.width / parameters.height;
  var sum = T(0);
  for (var ky = 0u; ky < parameters.kernelHeight; ky++) {
    for (var kx = 0u; kx < parameters.kernelWidth; kx++) {
      let ty = iy + parameters.padY - ky;
      let tx = ix + parameters.padX - kx;
      let oy = ty / parameters.strideY;
      let ox = tx / parameters.strideX;
      if (oy * parameters.strideY == ty && ox * parameters.strideX == tx
          && oy < parameters.outHeight && ox < parameters.outWidth) {
        let pixel = (image * parameters.outHeight + oy) * parameters.outWidth + ox;
        let gradient = dy[parameters.yOffset + pixel * parameters.yStride + channel];
        let word = taps[parameters.indicesOffset + pixel * parameters.indicesStride + channel];
        sum += select(T(0), gradient, unpack_taps(word) == I(ky * parameters.kernelWidth + kx));
      }
    }
  }
  return sum;
}
