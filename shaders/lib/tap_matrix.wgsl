// The weights of four channels under one tap of the kernel where every four channels are a group: w [ky, kx, ci, co]; a column an input.
alias Tap = mat4x4f;

fn load_tap(tap: u32, channel: u32) -> Tap {
  let at = parameters.wOffset + 4u * tap * parameters.inChannels + channel;
  return mat4x4f(w[at], w[at + parameters.inChannels], w[at + 2u * parameters.inChannels], w[at + 3u * parameters.inChannels]);
}

fn apply_tap(weight: Tap, value: vec4f) -> vec4f {
  return weight * value;
}

fn apply_transposed_tap(weight: Tap, value: vec4f) -> vec4f {
  return value * weight;
}
