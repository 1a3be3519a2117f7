// The output is normalised, added to another map and activated:
// clamp(value * scale[c] + shift[c] + residual[pixel, c], outLow, outHigh).
// outputAffine: rows scale, shift, mean, invStd of `outChannels` elements each. Traffic: residual once.
@group(0) @binding(7) var<storage, read> outputAffine: array<T>;
// How residual lies in memory: as T, or as halves of it.
alias RESIDUAL = T;
@group(0) @binding(8) var<storage, read> residual: array<RESIDUAL>;

fn finish(value: T, channel: u32, pixel: u32) -> T {
  let normalised = value * outputAffine[channel] + outputAffine[parameters.outChannels + channel];
  let sum = normalised + T(residual[parameters.residualOffset + pixel * parameters.residualStride + channel]);
  return clamp(sum, T(parameters.outLow), T(parameters.outHigh));
}
