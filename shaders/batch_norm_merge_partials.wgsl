// Partial moments (lib/moments_merge.wgsl) -> moments: moments[0, c] = mean, moments[1, c] = M2 / count, the biased variance.
// merge_partials:          one lane per T of the channels merges the parts one after the other.
// merge_partials_together: a column of lanes per T, each of which merges a run of neighbouring parts; then the moments of
//                          neighbouring runs are merged, two at a time.
// The order depends on the number of parts alone. Traffic: each partial once, the moments once.
alias T = f32;
const LANES: u32 = 8u;
const RUNS: u32 = 1u;

struct Parameters {
  channels: u32,      // in T, like the offset and the stride
  partials: u32,
  momentsOffset: u32,
  momentsStride: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> partials: array<T>; // [part][count, mean, M2][channel]
@group(0) @binding(2) var<storage, read_write> moments: array<T>;

fn moments_of_run(channel: u32, begin: u32, end: u32) -> PartialMoments {
  var run = PartialMoments(T(0), T(0), T(0));
  for (var part = begin; part < end; part++) {
    let at = 3u * part * parameters.channels + channel;
    let next = PartialMoments(partials[at], partials[at + parameters.channels], partials[at + 2u * parameters.channels]);
    run = merged(run, next);
  }
  return run;
}

fn store(channel: u32, all: PartialMoments) {
  moments[parameters.momentsOffset + channel] = all.mean;
  moments[parameters.momentsOffset + parameters.momentsStride + channel] = all.m2 / all.count;
}

@compute @workgroup_size(LANES)
fn merge_partials(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < parameters.channels) {
    store(id.x, moments_of_run(id.x, 0u, parameters.partials));
  }
}

var<workgroup> runs: array<PartialMoments, LANES * RUNS>;

@compute @workgroup_size(LANES, RUNS)
fn merge_partials_together(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let length = (parameters.partials + RUNS - 1u) / RUNS;
  let begin = min(local.y * length, parameters.partials);
  let slot = local.y * LANES + local.x;
  if (id.x < parameters.channels) {
    runs[slot] = moments_of_run(id.x, begin, min(begin + length, parameters.partials));
  }
  for (var step = 1u; step < RUNS; step *= 2u) {
    workgroupBarrier();
    if (local.y % (2u * step) == 0u) {
      runs[slot] = merged(runs[slot], runs[slot + step * LANES]);
    }
  }
  if (local.y == 0u && id.x < parameters.channels) {
    store(id.x, runs[slot]);
  }
}
