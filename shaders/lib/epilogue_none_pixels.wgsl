// The gradient is stored as it is.
fn store(first: u32, ci: u32, block: u32, values: array<vec4f, PIXELS>) {
  for (var i = 0u; i < PIXELS; i++) {
    if (first + i < parameters.pixels) {
      add_to_dx(first + i, ci + block, values[i]);
    }
  }
}

fn store_sums(run: u32, lane: u32, ci: u32) {
}
