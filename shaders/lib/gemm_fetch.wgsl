// Which vec4f of the tiles of lib/gemm*.wgsl a thread fetches: of an operand along k, threads side by side take the TILE_K
// of one row; of the other, neighbouring rows of one k.

// Place in the step, in vec4f, of all that a thread fetches of an operand along k.
fn fetched_k(thread: u32) -> u32 {
  return thread % (TILE_K / 4u);
}

// Row or column in the tile of a thread's fetch of an operand along k.
fn fetched_row(thread: u32, fetch: u32) -> u32 {
  return thread / (TILE_K / 4u) + fetch * (THREADS / (TILE_K / 4u));
}

// Place in the step of a thread's fetch of an operand whose tile is `width` vec4f wide; across it is thread % width.
fn fetched_single_k(thread: u32, fetch: u32, width: u32) -> u32 {
  return thread / width + fetch * (THREADS / width);
}
