// The output is activated: clamp(value, outLow, outHigh).
fn finish(value: T, channel: u32, pixel: u32) -> T {
  return clamp(value, T(parameters.outLow), T(parameters.outHigh));
}
