// Moments of two ranges of a batch -> those of both (Chan, Golub, LeVeque 1979). With s the second range's share of the
// rows and d = mean b - mean a:
// mean = mean a + d * s; variance = variance a * (1 - s) + variance b * s + d^2 * s * (1 - s), all variances biased.
// One lane a channel; traffic: six vectors.
const LANES: u32 = 64u;

struct Parameters {
  channels: u32,
  aOffset: u32,
  aStride: u32,   // from the means to the variances
  bOffset: u32,
  bStride: u32,
  yOffset: u32,
  yStride: u32,
  share: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(LANES)
fn merge(@builtin(global_invocation_id) id: vec3u) {
  let channel = id.x;
  if (channel >= parameters.channels) {
    return;
  }
  let at_a = parameters.aOffset + channel;
  let at_b = parameters.bOffset + channel;
  let at_y = parameters.yOffset + channel;
  let share = parameters.share;
  let delta = b[at_b] - a[at_a];
  let within = a[at_a + parameters.aStride] * (1 - share) + b[at_b + parameters.bStride] * share;
  y[at_y] = a[at_a] + delta * share;
  y[at_y + parameters.yStride] = within + delta * delta * (share * (1 - share));
}
