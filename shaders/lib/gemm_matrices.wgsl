// result[m, n] = sum over k of left[m, k] * right[k, n] with the matrix units of a GPU: operands rounded to f16, sums in
// f32. The shader that this file is appended to has fetch_left, fetch_right, store_result and the rest as for lib/gemm.wgsl.
// Subgroup: MATRICES_M x MATRICES_N results of SIZE_M x SIZE_N; workgroup: SUBGROUPS_M x SUBGROUPS_N subgroups.
// Every TILE_K steps both tiles pass through workgroup memory as they were fetched, rows 8 halves longer than they need
// so that they begin in different banks, while the next ones are on their way to registers. The elements of a matrix
// belong to no thread: results pass through workgroup memory as well, a matrix of each subgroup at a time.
// The threads of a subgroup are neighbours in a workgroup of one dimension; no subgroup arithmetic here: an NVIDIA driver
// has crashed on both in one module.
// Traffic: left is read N / TILE_N times, right M / TILE_M times.
const SUBGROUP: u32 = 32u;
const SUBGROUPS_M: u32 = 4u;
const SUBGROUPS_N: u32 = 2u;
const MATRICES_M: u32 = 2u;
const MATRICES_N: u32 = 4u;
const SIZE_M: u32 = 16u;
const SIZE_N: u32 = 16u;
const SIZE_K: u32 = 16u;
const LEFT_ALONG_K: bool = true;   // a fetched vec4f holds four k of a row; else four rows of one k
const RIGHT_ALONG_K: bool = false; // a fetched vec4f holds four k of a column; else four columns of one k

const TILE_M: u32 = SUBGROUPS_M * MATRICES_M * SIZE_M;
const TILE_N: u32 = SUBGROUPS_N * MATRICES_N * SIZE_N;
const TILE_K: u32 = 32u;
const WIDTH_M: u32 = TILE_M / 4u;
const WIDTH_N: u32 = TILE_N / 4u;
const THREADS: u32 = SUBGROUP * SUBGROUPS_M * SUBGROUPS_N;
const FETCHES_M: u32 = TILE_M * TILE_K / 4u / THREADS; // vec4f of the left tile that a thread fetches
const FETCHES_N: u32 = TILE_N * TILE_K / 4u / THREADS;
const PAD: u32 = 8u;
const LEFT_SIZE: u32 = select(TILE_K * (TILE_M + PAD), TILE_M * (TILE_K + PAD), LEFT_ALONG_K);
const RIGHT_SIZE: u32 = select(TILE_K * (TILE_N + PAD), TILE_N * (TILE_K + PAD), RIGHT_ALONG_K);
const RESULT_SIZE: u32 = SIZE_M * SIZE_N;

alias Left = subgroup_matrix_left<f16, SIZE_K, SIZE_M>;
alias Right = subgroup_matrix_right<f16, SIZE_N, SIZE_K>;
alias Result = subgroup_matrix_result<f32, SIZE_N, SIZE_M>;

var<workgroup> left_tile: array<f16, LEFT_SIZE>;
var<workgroup> right_tile: array<f16, RIGHT_SIZE>;
var<workgroup> results: array<f32, RESULT_SIZE * SUBGROUPS_M * SUBGROUPS_N>;

fn tile_place(thread: u32, fetch: u32, width: u32, along_k: bool) -> u32 {
  if (along_k) {
    return fetched_row(thread, fetch) * (TILE_K + PAD) + 4u * fetched_k(thread);
  }
  return fetched_single_k(thread, fetch, width) * (4u * width + PAD) + 4u * (thread % width);
}

fn store_left(thread: u32, fetch: u32, value: vec4f) {
  let at = tile_place(thread, fetch, WIDTH_M, LEFT_ALONG_K);
  let halves = vec4h(value);
  left_tile[at] = halves.x;
  left_tile[at + 1u] = halves.y;
  left_tile[at + 2u] = halves.z;
  left_tile[at + 3u] = halves.w;
}

fn store_right(thread: u32, fetch: u32, value: vec4f) {
  let at = tile_place(thread, fetch, WIDTH_N, RIGHT_ALONG_K);
  let halves = vec4h(value);
  right_tile[at] = halves.x;
  right_tile[at + 1u] = halves.y;
  right_tile[at + 2u] = halves.z;
  right_tile[at + 3u] = halves.w;
}

fn left_matrix(row: u32, k: u32) -> Left {
  if (LEFT_ALONG_K) {
    return subgroupMatrixLoad<Left, row_major>(&left_tile, row * (TILE_K + PAD) + k, TILE_K + PAD);
  }
  return subgroupMatrixLoad<Left, col_major>(&left_tile, k * (TILE_M + PAD) + row, TILE_M + PAD);
}

fn right_matrix(k: u32, column: u32) -> Right {
  if (RIGHT_ALONG_K) {
    return subgroupMatrixLoad<Right, col_major>(&right_tile, column * (TILE_K + PAD) + k, TILE_K + PAD);
  }
  return subgroupMatrixLoad<Right, row_major>(&right_tile, k * (TILE_N + PAD) + column, TILE_N + PAD);
}

// Computes the tile over steps `begin` to `end` of TILE_K each, which are the same for a whole workgroup.
fn multiply(thread: u32, begin: u32, end: u32) {
  let subgroup = thread / SUBGROUP;
  let own_row = subgroup / SUBGROUPS_N * MATRICES_M * SIZE_M;
  let own_column = subgroup % SUBGROUPS_N * MATRICES_N * SIZE_N;
  var sum: array<array<Result, MATRICES_N>, MATRICES_M>;
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
      store_left(thread, i, next_left[i]);
    }
    for (var i = 0u; i < FETCHES_N; i++) {
      store_right(thread, i, next_right[i]);
    }
    workgroupBarrier();
    for (var i = 0u; i < FETCHES_M; i++) {
      next_left[i] = fetch_left(thread, i, step + 1u);
    }
    for (var i = 0u; i < FETCHES_N; i++) {
      next_right[i] = fetch_right(thread, i, step + 1u);
    }
    for (var k = 0u; k < TILE_K; k += SIZE_K) {
      var b: array<Right, MATRICES_N>;
      for (var j = 0u; j < MATRICES_N; j++) {
        b[j] = right_matrix(k, own_column + j * SIZE_N);
      }
      for (var i = 0u; i < MATRICES_M; i++) {
        let a = left_matrix(own_row + i * SIZE_M, k);
        for (var j = 0u; j < MATRICES_N; j++) {
          sum[i][j] = subgroupMatrixMultiplyAccumulate(a, b[j], sum[i][j]);
        }
      }
    }
  }
  let mine = subgroup * RESULT_SIZE;
  for (var j = 0u; j < MATRICES_N; j++) {
    let column = (own_column + j * SIZE_N) / 4u + thread % (SIZE_N / 4u);
    open_column(column);
    for (var i = 0u; i < MATRICES_M; i++) {
      workgroupBarrier(); // all have stored the results before
      subgroupMatrixStore<row_major>(&results, mine, sum[i][j], SIZE_N);
      workgroupBarrier();
      for (var at = thread % SUBGROUP; at < RESULT_SIZE / 4u; at += SUBGROUP) {
        let source = mine + 4u * at;
        let value = vec4f(results[source], results[source + 1u], results[source + 2u], results[source + 3u]);
        store_result(own_row + i * SIZE_M + at / (SIZE_N / 4u), column, value);
      }
    }
    close_column(thread, column);
  }
}

// Threads that have results of the same columns, and the i-th of them.
const SHARERS_OF_SUBGROUP: u32 = SUBGROUP / (SIZE_N / 4u);
const SHARERS: u32 = SUBGROUPS_M * SHARERS_OF_SUBGROUP;

fn sharer(thread: u32, i: u32) -> u32 {
  let subgroup = i / SHARERS_OF_SUBGROUP * SUBGROUPS_N + thread / SUBGROUP % SUBGROUPS_N;
  return subgroup * SUBGROUP + i % SHARERS_OF_SUBGROUP * (SIZE_N / 4u) + thread % (SIZE_N / 4u);
}
