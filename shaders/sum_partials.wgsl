// result[i] = sum over s of partials[s, i]: the second pass of every split reduction.
// sum_partials:          one lane per T of the result adds the partials up one after the other.
// sum_partials_together: a column of lanes per T, each of which adds up a run of neighbouring partials; then the sums of
//                        neighbouring runs are added, two at a time.
// The order depends on the number of partials alone. Traffic: each partial once, the result once.
alias T = f32;
const LANES: u32 = 64u;
const RUNS: u32 = 1u;

struct Parameters {
  count: u32,         // of T, like the offset
  partials: u32,
  resultOffset: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> partials: array<T>;
@group(0) @binding(2) var<storage, read_write> result: array<T>;

fn sum_of_run(index: u32, begin: u32, end: u32) -> T {
  var sum = T(0);
  for (var s = begin; s < end; s++) {
    sum += partials[s * parameters.count + index];
  }
  return sum;
}

@compute @workgroup_size(LANES)
fn sum_partials(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                @builtin(local_invocation_id) local: vec3u) {
  let index = (group.x + group.y * groups.x) * LANES + local.x;
  if (index >= parameters.count) {
    return;
  }
  result[parameters.resultOffset + index] = sum_of_run(index, 0u, parameters.partials);
}

var<workgroup> run_sums: array<T, LANES * RUNS>;

@compute @workgroup_size(LANES, RUNS)
fn sum_partials_together(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                         @builtin(local_invocation_id) local: vec3u) {
  let index = (group.x + group.y * groups.x) * LANES + local.x;
  let length = (parameters.partials + RUNS - 1u) / RUNS;
  let begin = min(local.y * length, parameters.partials);
  let slot = local.y * LANES + local.x;
  if (index < parameters.count) {
    run_sums[slot] = sum_of_run(index, begin, min(begin + length, parameters.partials));
  }
  for (var step = 1u; step < RUNS; step *= 2u) {
    workgroupBarrier();
    if (local.y % (2u * step) == 0u) {
      run_sums[slot] += run_sums[slot + step * LANES];
    }
  }
  if (local.y == 0u && index < parameters.count) {
    result[parameters.resultOffset + index] = run_sums[slot];
  }
}
