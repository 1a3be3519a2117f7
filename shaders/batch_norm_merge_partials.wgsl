// Partial moments -> moments: rows count, mean and M2 = sum of (x - mean)^2 of each part are merged in the parts' order
// (Chan, Golub, LeVeque 1979); moments[0, c] = mean, moments[1, c] = M2 / count, the biased variance. A part may be empty.
// One lane per T of the channels. Traffic: each partial once, the moments once.
alias T = f32;
const LANES: u32 = 8u;

struct Parameters {
  channels: u32,      // in T, like the offset and the stride
  partials: u32,
  momentsOffset: u32,
  momentsStride: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> partials: array<T>; // [part][count, mean, M2][channel]
@group(0) @binding(2) var<storage, read_write> moments: array<T>;

@compute @workgroup_size(LANES)
fn merge_partials(@builtin(global_invocation_id) id: vec3u) {
  let channel = id.x;
  if (channel >= parameters.channels) {
    return;
  }
  var count = T(0);
  var mean = T(0);
  var m2 = T(0);
  for (var part = 0u; part < parameters.partials; part++) {
    let at = 3u * part * parameters.channels + channel;
    let added = partials[at];
    let delta = partials[at + parameters.channels] - mean;
    let share = added / max(count + added, T(1));
    mean += delta * share;
    m2 += partials[at + 2u * parameters.channels] + delta * delta * (count * share);
    count += added;
  }
  moments[parameters.momentsOffset + channel] = mean;
  moments[parameters.momentsOffset + parameters.momentsStride + channel] = m2 / count;
}
