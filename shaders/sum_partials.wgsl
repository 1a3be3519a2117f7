// result[i] = sum over s of partials[s, i], in the order of s: the second pass of every split reduction.
// One thread per T of the result. Traffic: each partial once, the result once.
alias T = f32;
const LANES: u32 = 64u;

struct Parameters {
  count: u32,         // of T, like the offset
  partials: u32,
  resultOffset: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> partials: array<T>;
@group(0) @binding(2) var<storage, read_write> result: array<T>;

@compute @workgroup_size(LANES)
fn sum_partials(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                @builtin(local_invocation_id) local: vec3u) {
  let index = (group.x + group.y * groups.x) * LANES + local.x;
  if (index >= parameters.count) {
    return;
  }
  var sum = partials[index];
  for (var s = 1u; s < parameters.partials; s++) {
    sum += partials[s * parameters.count + index];
  }
  result[parameters.resultOffset + index] = sum;
}
