// What the sum over the window of output (oy, ox) is divided by, in average pooling and its gradient.

// Pixels of the window that starts at `start` (in the padded image) inside an image of `size`.
fn extent(start: u32, kernel: u32, padding: u32, size: u32) -> u32 {
  return min(start + kernel, size + padding) - max(start, padding);
}

fn divisor(oy: u32, ox: u32) -> f32 {
  if (parameters.countPadding == 1u) {
    return f32(parameters.kernelHeight * parameters.kernelWidth);
  }
  return f32(extent(oy * parameters.strideY, parameters.kernelHeight, parameters.padY, parameters.height)
           * extent(ox * parameters.strideX, parameters.kernelWidth, parameters.padX, parameters.width));
}
