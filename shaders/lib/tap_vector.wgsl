// The weights of four channels under one tap of the kernel where every channel is a group of its own: w [ky, kx, c].
alias Tap = vec4f;

fn load_tap(tap: u32, channel: u32) -> Tap {
  return w[parameters.wOffset + tap * parameters.inChannels + channel];
}

fn apply_tap(weight: Tap, value: vec4f) -> vec4f {
  return weight * value;
}

fn apply_transposed_tap(weight: Tap, value: vec4f) -> vec4f {
  return weight * value;
}
