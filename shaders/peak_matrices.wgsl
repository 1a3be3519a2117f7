// What an adapter's matrix units can do at most: matrices of f16 that lie in registers, sums in f32. Appended to
// lib/enable_matrices.wgsl.
// multiply_matrices: sum += left * right, 4 * repeats times on each of four sums a subgroup, which hide each other's latency
//                    and begin with other values, since equal ones would be computed once. Traffic: the sums at the end.
// A driver for a CPU, whose products are no instructions, takes them out of the loop: for GPUs alone.
const SUBGROUP: u32 = 32u;
const SUBGROUPS: u32 = 4u;
const SIZE_M: u32 = 16u;
const SIZE_N: u32 = 16u;
const SIZE_K: u32 = 16u;
const LANES: u32 = SUBGROUP * SUBGROUPS;

alias Left = subgroup_matrix_left<f16, SIZE_K, SIZE_M>;
alias Right = subgroup_matrix_right<f16, SIZE_N, SIZE_K>;
alias Result = subgroup_matrix_result<f32, SIZE_N, SIZE_M>;

struct Parameters {
  repeats: u32,
  factor: f32,
  term: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(LANES)
fn multiply_matrices(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let a = Left(f16(parameters.factor));
  let b = Left(f16(parameters.term));
  let c = Right(f16(parameters.factor));
  let d = Right(f16(parameters.term));
  var p = Result(0f);
  var q = Result(1f);
  var r = Result(2f);
  var s = Result(3f);
  for (var repeat = 0u; repeat < parameters.repeats; repeat++) {
    p = subgroupMatrixMultiplyAccumulate(a, c, p); q = subgroupMatrixMultiplyAccumulate(a, d, q);
    r = subgroupMatrixMultiplyAccumulate(b, c, r); s = subgroupMatrixMultiplyAccumulate(b, d, s);
    p = subgroupMatrixMultiplyAccumulate(a, c, p); q = subgroupMatrixMultiplyAccumulate(a, d, q);
    r = subgroupMatrixMultiplyAccumulate(b, c, r); s = subgroupMatrixMultiplyAccumulate(b, d, s);
    p = subgroupMatrixMultiplyAccumulate(a, c, p); q = subgroupMatrixMultiplyAccumulate(a, d, q);
    r = subgroupMatrixMultiplyAccumulate(b, c, r); s = subgroupMatrixMultiplyAccumulate(b, d, s);
    p = subgroupMatrixMultiplyAccumulate(a, c, p); q = subgroupMatrixMultiplyAccumulate(a, d, q);
    r = subgroupMatrixMultiplyAccumulate(b, c, r); s = subgroupMatrixMultiplyAccumulate(b, d, s);
  }
  let subgroup = group.x * SUBGROUPS + local.x / SUBGROUP;
  let at = subgroup * 4u * SIZE_M * SIZE_N;
  subgroupMatrixStore<row_major>(&y, at, p, SIZE_N);
  subgroupMatrixStore<row_major>(&y, at + SIZE_M * SIZE_N, q, SIZE_N);
  subgroupMatrixStore<row_major>(&y, at + 2u * SIZE_M * SIZE_N, r, SIZE_N);
  subgroupMatrixStore<row_major>(&y, at + 3u * SIZE_M * SIZE_N, s, SIZE_N);
}
