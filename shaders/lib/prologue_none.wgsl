// The input is used as it is.
fn prologue(value: T, channel: u32) -> T {
  return value;
}
