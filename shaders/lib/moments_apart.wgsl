// The moments of what a lane writes, for batch_norm_merge_partials.wgsl. A lane sums d and d^2 over its rows, d = value -
// origin, a value like those that it writes, which keeps the digits where |mean| is large against sigma. The kernel
// sums over a few rows in registers: these sums are in memory.
// partials[run * PARTS + lane][count, mean, M2][channel]: every lane keeps its own, without workgroup memory.
// Traffic: the partials once.
const SUMMED: u32 = 1u; // T's of a row that a lane writes
const PARTS: u32 = 1u;  // lanes of a workgroup that write the same channels

@group(0) @binding(9) var<storage, read_write> partials: array<T>;

var<private> started: bool;
var<private> rows_seen: u32;
var<private> origin: array<T, SUMMED>;
var<private> sum_of: array<T, SUMMED>;
var<private> squares_of: array<T, SUMMED>;

// `value`: what becomes the origin, the first time.
fn moments_origin(block: u32, value: T) -> T {
  if (!started) {
    origin[block] = value;
  }
  return origin[block];
}

fn add_to_moments(block: u32, sum: T, squares: T) {
  sum_of[block] += sum;
  squares_of[block] += squares;
}

// After all blocks of `rows` rows.
fn add_rows(rows: u32) {
  started = true;
  rows_seen += rows;
}

fn store_moments(run: u32, lane: u32, channel: u32, channels: u32) {
  let count = f32(rows_seen);
  let first = 3u * (run * PARTS + lane) * channels + channel;
  for (var block = 0u; block < SUMMED; block++) {
    let mean = sum_of[block] / max(count, 1f);
    partials[first + block] = T(count);
    partials[first + channels + block] = origin[block] + mean;
    partials[first + 2u * channels + block] = max(squares_of[block] - mean * sum_of[block], T(0));
  }
}
