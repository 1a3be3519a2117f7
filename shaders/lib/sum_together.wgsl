// The sum over a workgroup's lanes, a power of two, in lane 0: a tree in a fixed order, through workgroup memory.
const SUMS_APART = false;

var<workgroup> lane_sums: array<vec4f, LANES>;

fn sum_lanes(value: vec4f, lane: u32) -> vec4f {
  workgroupBarrier();
  lane_sums[lane] = value;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      lane_sums[lane] += lane_sums[lane + half];
    }
  }
  return lane_sums[lane];
}
