// The tap of one channel in a word.
fn pack_taps(tap: u32) -> u32 {
  return tap;
}

fn unpack_taps(word: u32) -> u32 {
  return word;
}
