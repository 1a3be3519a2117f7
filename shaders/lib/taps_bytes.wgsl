// The taps of four channels in the bytes of a word, the first in the lowest: kernels of at most 256 taps.
fn pack_taps(taps: vec4u) -> u32 {
  return taps.x | (taps.y << 8u) | (taps.z << 16u) | (taps.w << 24u);
}

fn unpack_taps(word: u32) -> vec4u {
  return (vec4u(word) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u);
}
