// Turns statistics and the learned scale and shift of a batch normalisation into one affine map a channel:
// affine rows: scale = gamma * invStd, shift = beta - mean * scale, mean, invStd = 1 / sqrt(variance + epsilon).
// fold_batch: statistics of the batch; running = (1 - momentum) * running + momentum * (mean, unbiased variance).
// fold_running: the running statistics. One lane a channel; traffic: a few vectors.
const LANES: u32 = 64u;

struct Parameters {
  channels: u32,
  momentsOffset: u32,
  momentsStride: u32,
  weightOffset: u32,    // rows gamma, beta
  runningOffset: u32,   // rows mean, variance
  affineOffset: u32,
  epsilon: f32,
  momentum: f32,
  unbias: f32,          // count / (count - 1)
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> moments: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> running: array<f32>;
@group(0) @binding(4) var<storage, read_write> affine: array<f32>;

fn store_affine(channel: u32, mean: f32, variance: f32) {
  let invStd = 1 / sqrt(variance + parameters.epsilon);
  let scale = weight[parameters.weightOffset + channel] * invStd;
  let shift = weight[parameters.weightOffset + parameters.channels + channel] - mean * scale;
  let at = parameters.affineOffset + channel;
  affine[at] = scale;
  affine[at + parameters.channels] = shift;
  affine[at + 2u * parameters.channels] = mean;
  affine[at + 3u * parameters.channels] = invStd;
}

@compute @workgroup_size(LANES)
fn fold_batch(@builtin(global_invocation_id) id: vec3u) {
  let channel = id.x;
  if (channel >= parameters.channels) {
    return;
  }
  let mean = moments[parameters.momentsOffset + channel];
  let variance = moments[parameters.momentsOffset + parameters.momentsStride + channel];
  let at = parameters.runningOffset + channel;
  running[at] += parameters.momentum * (mean - running[at]);
  let last = at + parameters.channels;
  running[last] += parameters.momentum * (variance * parameters.unbias - running[last]);
  store_affine(channel, mean, variance);
}

@compute @workgroup_size(LANES)
fn fold_running(@builtin(global_invocation_id) id: vec3u) {
  let channel = id.x;
  if (channel >= parameters.channels) {
    return;
  }
  let at = parameters.runningOffset + channel;
  store_affine(channel, running[at], running[at + parameters.channels]);
}
