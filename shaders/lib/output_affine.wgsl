// The output is normalised and activated: clamp(value * scale[c] + shift[c], outLow, outHigh).
// outputAffine: rows scale, shift, mean, invStd of `outChannels` elements each.
@group(0) @binding(7) var<storage, read> outputAffine: array<T>;

fn finish(value: T, channel: u32, pixel: u32) -> T {
  let normalised = value * outputAffine[channel] + outputAffine[parameters.outChannels + channel];
  return clamp(normalised, T(parameters.outLow), T(parameters.outHigh));
}
