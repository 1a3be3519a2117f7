// No bias.
fn add_bias(value: T, channel: u32) -> T {
  return value;
}
