// What max pooling passes on to a pixel: sum of dy over the windows whose first maximum it is (lib/taps_*.wgsl).
alias I = u32;

@group(0) @binding(6) var<storage, read> taps: array<u32>;

fn pooled_gradient(row: u32, channel: u32) -> T {
  let ix = row % parameters.width;
  let iy = row / parameters.width % parameters.height;
  let image = row / parameters.width / parameters.height;
  let rows = windows_of(iy + parameters.padY, parameters.kernelHeight, parameters.strideY, parameters.outHeight);
  let columns = windows_of(ix + parameters.padX, parameters.kernelWidth, parameters.strideX, parameters.outWidth);
  var sum = T(0);
  for (var oy = rows.x; oy < rows.y; oy++) {
    for (var ox = columns.x; ox < columns.y; ox++) {
      let ky = iy + parameters.padY - oy * parameters.strideY;
      let kx = ix + parameters.padX - ox * parameters.strideX;
      let pixel = (image * parameters.outHeight + oy) * parameters.outWidth + ox;
      let gradient = T(dy[parameters.yOffset + pixel * parameters.yStride + channel]);
      let word = taps[parameters.indicesOffset + pixel * parameters.indicesStride + channel];
      sum += select(T(0), gradient, unpack_taps(word) == I(ky * parameters.kernelWidth + kx));
    }
  }
  return sum;
}
