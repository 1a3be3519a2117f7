// The gradient is stored as it is.
fn store(pixel: u32, ci: u32, block: u32, value: vec4f) {
  add_to_dx(pixel, ci + block, value);
}

fn store_sums(run: u32, lane: u32, ci: u32) {
}
