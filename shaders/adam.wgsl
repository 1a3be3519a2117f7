// Adam (Kingma & Ba 2015), as torch.optim.Adam computes it, on a run of parameters:
// m = m + (1 - beta1) (g - m);  v = v + (1 - beta2) (g^2 - v);  p = p - stepSize * m / (sqrt(v) * rootCorrection + epsilon)
// with g divided by the scale of the loss.
// stepSize = rate / (1 - beta1^t) and rootCorrection = 1 / sqrt(1 - beta2^t) come from the host in float64, once a step.
// One thread per T. Traffic: g, m, v, p read once, m, v, p written once.
alias T = f32;
const LANES: u32 = 64u;

struct Parameters {
  count: u32,     // of T, like the offsets
  pOffset: u32,
  gOffset: u32,
  mOffset: u32,
  vOffset: u32,
}

struct Step {
  number: u32,
  stepSize: f32,
  rootCorrection: f32,
  share1: f32,    // 1 - beta1, rounded once from float64
  share2: f32,    // 1 - beta2
  epsilon: f32,
  unscale: f32,   // of the gradient; 0: nothing changes
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> p: array<T>;
@group(0) @binding(2) var<storage, read> g: array<T>;
@group(0) @binding(3) var<storage, read_write> m: array<T>;
@group(0) @binding(4) var<storage, read_write> v: array<T>;
@group(0) @binding(5) var<storage, read> step: Step;

@compute @workgroup_size(LANES)
fn adam(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_id) local: vec3u) {
  let i = (group.x + group.y * groups.x) * LANES + local.x;
  if (i >= parameters.count || step.unscale == 0) {
    return;
  }
  let gradient = step.unscale * g[parameters.gOffset + i];
  let mi = m[parameters.mOffset + i] + step.share1 * (gradient - m[parameters.mOffset + i]);
  let vi = v[parameters.vOffset + i] + step.share2 * (gradient * gradient - v[parameters.vOffset + i]);
  m[parameters.mOffset + i] = mi;
  v[parameters.vOffset + i] = vi;
  p[parameters.pOffset + i] -= step.stepSize * mi / (sqrt(vi) * step.rootCorrection + T(step.epsilon));
}
