// Binary cross-entropy on logits, mean over the batch times `weight`; p = 1 / (1 + exp(-x)), t the target,
// w = positiveWeight. Where it is WEIGHTED, each logit's term and gradient counts `weights` times.
// loss      = weight * mean of -(w t log p + (1 - t) log(1 - p)), computed as (1 - t) x + (1 + (w - 1) t) softplus(-x)
// gradient: dx = weight * ((1 - t) p - w t (1 - p)) / count, times the scale of the loss (lib/loss_scale*.wgsl)
// One thread for the loss (a batch is small), one per logit for the gradient. Traffic: a few words.
const LANES: u32 = 64u;
const WEIGHTED: bool = false;

struct Parameters {
  count: u32,
  xOffset: u32,   // of the logits, in elements like all offsets
  targetOffset: u32,
  resultOffset: u32,
  positiveWeight: f32,
  weight: f32,
  weightsOffset: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
@group(0) @binding(4) var<storage, read> weights: array<f32>;

// log(1 + exp(x)) without overflow; the series keeps the digits where exp is tiny.
fn softplus(x: f32) -> f32 {
  let e = exp(-abs(x));
  let small = e - e * e * 0.5 + e * e * e / 3;
  return max(x, 0) + select(log(1 + e), small, e < 0.001);
}

fn weightOf(i: u32) -> f32 {
  return select(1f, weights[parameters.weightsOffset + i], WEIGHTED);
}

@compute @workgroup_size(1)
fn loss() {
  var sum = 0f;
  for (var i = 0u; i < parameters.count; i++) {
    let logit = x[parameters.xOffset + i];
    let t = targets[parameters.targetOffset + i];
    sum += weightOf(i) * ((1 - t) * logit + (1 + (parameters.positiveWeight - 1) * t) * softplus(-logit));
  }
  result[parameters.resultOffset] = parameters.weight * sum / f32(parameters.count);
}

@compute @workgroup_size(LANES)
fn gradient(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= parameters.count) {
    return;
  }
  let logit = x[parameters.xOffset + id.x];
  let t = targets[parameters.targetOffset + id.x];
  let p = 1 / (1 + exp(-logit));
  let q = 1 / (1 + exp(logit)); // 1 - p, without cancellation
  result[parameters.resultOffset + id.x] =
    loss_scale() * (weightOf(id.x) * parameters.weight * ((1 - t) * p - parameters.positiveWeight * t * q) / f32(parameters.count));
}
