// The gradient of lib/tap_vector.wgsl's weights: dw [ky, kx, c].
alias Tap = vec4f;

fn tap_product(value: vec4f, gradient: vec4f) -> Tap {
  return value * gradient;
}

fn store_tap(tap: u32, channel: u32, sum: Tap) {
  dw[parameters.dwOffset + tap * parameters.inChannels + channel] = sum;
}
