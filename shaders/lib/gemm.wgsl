// result[m, n] = sum over k of left[m, k] * right[k, n]: one tile of a matrix product by one workgroup. The shader that
// this file is appended to has fetch_left and fetch_right, which give zeros past the end of their operands, and
// store_result, which leaves out what is past the end of the result. A thread calls it column by column (four at a time),
// between open_column and close_column, which all threads call side by side and may gather what a column holds.
// Thread: 4*BLOCKS_M rows x 4*BLOCKS_N columns, in registers. Every TILE_K steps both tiles pass through workgroup memory;
// the next ones are already on their way to registers meanwhile, which hides the latency of memory.
// Both tiles are kept as blocks of 4 x 4 whose four vec4f lie WIDTH + 1 apart, so that threads side by side read
// neighbouring vec4f and the rows of a block are stored to different banks. A block that was fetched along the other
// dimension is transposed as it is read, which renames registers.
// Traffic: left is read N / TILE_N times, right M / TILE_M times; per thread and four k 4 * (BLOCKS_M + BLOCKS_N) vec4f
// of workgroup memory for 64 * BLOCKS_M * BLOCKS_N multiply-adds.
const TILE_M: u32 = 64u;
const TILE_N: u32 = 64u;
const BLOCKS_M: u32 = 2u;
const BLOCKS_N: u32 = 1u;
const LEFT_ALONG_K: bool = true;   // a fetched vec4f holds four k of a row; else four rows of one k
const RIGHT_ALONG_K: bool = false; // a fetched vec4f holds four k of a column; else four columns of one k

const TILE_K: u32 = 16u;
const WIDTH_M: u32 = TILE_M / 4u;
const WIDTH_N: u32 = TILE_N / 4u;
const THREADS_N: u32 = WIDTH_N / BLOCKS_N;
const THREADS_M: u32 = WIDTH_M / BLOCKS_M;
const THREADS: u32 = THREADS_M * THREADS_N;
const FETCHES_M: u32 = TILE_M * TILE_K / 4u / THREADS; // vec4f of the left tile that a thread fetches
const FETCHES_N: u32 = TILE_N * TILE_K / 4u / THREADS;

var<workgroup> left_tile: array<vec4f, TILE_K * (WIDTH_M + 1u)>;
var<workgroup> right_tile: array<vec4f, TILE_K * (WIDTH_N + 1u)>;

// Where a fetch goes: rows of the tile are four k (along k: of a column) times the four vec4f of a block.
fn tile_place(thread: u32, fetch: u32, width: u32, along_k: bool) -> u32 {
  if (along_k) {
    let row = fetched_row(thread, fetch);
    return (fetched_k(thread) * 4u + row % 4u) * (width + 1u) + row / 4u;
  }
  return fetched_single_k(thread, fetch, width) * (width + 1u) + thread % width;
}

// Four rows of the left tile, a column each, of four k.
fn left_block(k: u32, block: u32) -> mat4x4f {
  let at = k * 4u * (WIDTH_M + 1u) + block;
  let m = mat4x4f(left_tile[at], left_tile[at + WIDTH_M + 1u], left_tile[at + 2u * (WIDTH_M + 1u)],
                  left_tile[at + 3u * (WIDTH_M + 1u)]);
  if (LEFT_ALONG_K) {
    return m;
  }
  return transpose(m);
}

// Four columns of the right tile, at four k: a column of the matrix each.
fn right_block(k: u32, block: u32) -> mat4x4f {
  let at = k * 4u * (WIDTH_N + 1u) + block;
  let m = mat4x4f(right_tile[at], right_tile[at + WIDTH_N + 1u], right_tile[at + 2u * (WIDTH_N + 1u)],
                  right_tile[at + 3u * (WIDTH_N + 1u)]);
  if (RIGHT_ALONG_K) {
    return transpose(m);
  }
  return m;
}

// sum + b * a, but as sixteen fused multiply-adds: the products of b * a would be added up on their own first.
fn add_products(sum: vec4f, a: vec4f, b: mat4x4f) -> vec4f {
  var total = sum + a.x * b[0];
  total += a.y * b[1];
  total += a.z * b[2];
  return total + a.w * b[3];
}

// Computes the tile over steps `begin` to `end` of TILE_K each, which are the same for a whole workgroup.
fn multiply(thread: u32, begin: u32, end: u32) {
  var sum: array<array<vec4f, BLOCKS_N>, 4u * BLOCKS_M>;
  var next_left: array<vec4f, FETCHES_M>;
  var next_right: array<vec4f, FETCHES_N>;
  for (var i = 0u; i < FETCHES_M; i++) {
    next_left[i] = fetch_left(thread, i, begin);
  }
  for (var i = 0u; i < FETCHES_N; i++) {
    next_right[i] = fetch_right(thread, i, begin);
  }
  for (var step = begin; step < end; step++) {
    workgroupBarrier(); // all have read the tiles before
    for (var i = 0u; i < FETCHES_M; i++) {
      left_tile[tile_place(thread, i, WIDTH_M, LEFT_ALONG_K)] = next_left[i];
    }
    for (var i = 0u; i < FETCHES_N; i++) {
      right_tile[tile_place(thread, i, WIDTH_N, RIGHT_ALONG_K)] = next_right[i];
    }
    workgroupBarrier();
    for (var i = 0u; i < FETCHES_M; i++) {
      next_left[i] = fetch_left(thread, i, step + 1u);
    }
    for (var i = 0u; i < FETCHES_N; i++) {
      next_right[i] = fetch_right(thread, i, step + 1u);
    }
    for (var k = 0u; k < TILE_K / 4u; k++) {
      var b: array<mat4x4f, BLOCKS_N>;
      for (var j = 0u; j < BLOCKS_N; j++) {
        b[j] = right_block(k, thread % THREADS_N + j * THREADS_N);
      }
      for (var i = 0u; i < BLOCKS_M; i++) {
        let a = left_block(k, thread / THREADS_N + i * THREADS_M);
        for (var j = 0u; j < BLOCKS_N; j++) {
          sum[4u * i][j] = add_products(sum[4u * i][j], a[0], b[j]);
          sum[4u * i + 1u][j] = add_products(sum[4u * i + 1u][j], a[1], b[j]);
          sum[4u * i + 2u][j] = add_products(sum[4u * i + 2u][j], a[2], b[j]);
          sum[4u * i + 3u][j] = add_products(sum[4u * i + 3u][j], a[3], b[j]);
        }
      }
    }
  }
  for (var j = 0u; j < BLOCKS_N; j++) {
    let column = thread % THREADS_N + j * THREADS_N;
    open_column(column);
    for (var i = 0u; i < 4u * BLOCKS_M; i++) {
      store_result((thread / THREADS_N + i / 4u * THREADS_M) * 4u + i % 4u, column, sum[i][j]);
    }
    close_column(thread, column);
  }
}

// Threads that have results of the same columns, and the i-th of them.
const SHARERS: u32 = THREADS_M;

fn sharer(thread: u32, i: u32) -> u32 {
  return i * THREADS_N + thread % THREADS_N;
}
