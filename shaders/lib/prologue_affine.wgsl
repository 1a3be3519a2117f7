// The input is normalised and activated while it is loaded: clamp(value * scale[c] + shift[c], low, high).
// affine: rows scale, shift, mean, invStd of `inChannels` elements each. Padding stays 0: callers skip this for it.
@group(0) @binding(6) var<storage, read> affine: array<T>;

fn prologue(value: T, channel: u32) -> T {
  let normalised = value * affine[channel] + affine[parameters.inChannels + channel];
  return clamp(normalised, T(parameters.low), T(parameters.high));
}
