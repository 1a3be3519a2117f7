// Every lane of a workgroup keeps its own sum: for adapters whose workgroup memory is slow.
const SUMS_APART = true;

fn sum_lanes(value: vec4f, lane: u32) -> vec4f {
  return value;
}
