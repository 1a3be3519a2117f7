// count (+)= number of elements of x that are infinite or NaN: all bits of the exponent are set. Bits are looked at because
// a compiler may assume that there are no such numbers.
// count_runs: every lane takes each `lanes`-th element, so that neighbours read neighbours; partials[lane] = its number.
// sum_runs:   one thread adds them up, four at once. Traffic: x once.
const LANES: u32 = 64u;

struct Parameters {
  elements: u32,
  xOffset: u32,
  lanes: u32,      // of all workgroups, a multiple of 4
  accumulate: u32, // 1: add to count
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> partials: array<u32>;
@group(0) @binding(3) var<storage, read> runs: array<vec4u>; // the partials, read
@group(0) @binding(4) var<storage, read_write> count: array<u32>;

@compute @workgroup_size(LANES)
fn count_runs(@builtin(global_invocation_id) id: vec3u) {
  var sum = 0u;
  for (var i = id.x; i < parameters.elements; i += parameters.lanes) {
    sum += select(0u, 1u, (x[parameters.xOffset + i] & 0x7f800000u) == 0x7f800000u);
  }
  partials[id.x] = sum;
}

@compute @workgroup_size(1)
fn sum_runs() {
  var sum = vec4u(0);
  for (var i = 0u; i < parameters.lanes / 4u; i++) {
    sum += runs[i];
  }
  let total = sum.x + sum.y + sum.z + sum.w;
  count[0] = total + select(0u, count[0], parameters.accumulate == 1u);
}
