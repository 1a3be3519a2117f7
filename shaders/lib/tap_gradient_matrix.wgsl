// The gradient of lib/tap_matrix.wgsl's weights: dw [ky, kx, ci, co]; a column an input.
alias Tap = mat4x4f;

fn tap_product(value: vec4f, gradient: vec4f) -> Tap {
  return mat4x4f(value.x * gradient, value.y * gradient, value.z * gradient, value.w * gradient);
}

fn store_tap(tap: u32, channel: u32, sum: Tap) {
  for (var ci = 0u; ci < 4u; ci++) {
    dw[parameters.dwOffset + (4u * tap + ci) * parameters.inChannels + channel] = sum[ci];
  }
}
