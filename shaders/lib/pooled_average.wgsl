// What average pooling passes on to a pixel: sum over the windows that hold it of dy / divisor (lib/pool_divisor.wgsl).
fn pooled_gradient(row: u32, channel: u32) -> T {
  let ix = row % parameters.width;
  let iy = row / parameters.width % parameters.height;
  let image = row / parameters.width / parameters.height;
  let rows = windows_of(iy + parameters.padY, parameters.kernelHeight, parameters.strideY, parameters.outHeight);
  let columns = windows_of(ix + parameters.padX, parameters.kernelWidth, parameters.strideX, parameters.outWidth);
  var sum = T(0);
  for (var oy = rows.x; oy < rows.y; oy++) {
    for (var ox = columns.x; ox < columns.y; ox++) {
      let pixel = (image * parameters.outHeight + oy) * parameters.outWidth + ox;
      sum += T(dy[parameters.yOffset + pixel * parameters.yStride + channel]) / divisor(oy, ox);
    }
  }
  return sum;
}
