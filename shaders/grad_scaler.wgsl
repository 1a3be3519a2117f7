// One step of dynamic loss scaling (Micikevicius et al. 2018), as torch.amp.GradScaler does it, and Adam's scalars after it.
// Where no gradient overflowed: steps += 1, and after `growthInterval` such steps in a row scale *= 2; update holds the
// words of adam.wgsl for step number `steps`. Else scale *= 0.5, and update tells Adam to leave everything as it is.
// 1 - beta^t = -expm1(t * log(beta)), without the cancellation of the power. One thread; traffic: a few words.
struct Parameters {
  stateOffset: u32,
  growthInterval: f32,
}

struct Attempt {
  draw: u32,
  rate: f32,
  logBeta1: f32,
  logBeta2: f32,
  share1: f32,   // 1 - beta1, rounded once from float64
  share2: f32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> state: array<f32>; // scale, good steps in a row, steps in all
@group(0) @binding(2) var<storage, read> nonfinite: array<u32>;
@group(0) @binding(3) var<storage, read> attempt: Attempt;
@group(0) @binding(4) var<storage, read_write> update: array<f32>;

// exp(x) - 1 for x <= 0: near 0 by its series.
fn expm1(x: f32) -> f32 {
  if (x < -0.5) {
    return exp(x) - 1;
  }
  var sum = 1f;
  for (var n = 9f; n > 1; n -= 1) {
    sum = 1 + x / n * sum;
  }
  return x * sum;
}

@compute @workgroup_size(1)
fn grad_scaler() {
  let at = parameters.stateOffset;
  let scale = state[at];
  update[3] = attempt.share1;
  update[4] = attempt.share2;
  update[5] = attempt.epsilon;
  if (nonfinite[0] > 0u) {
    state[at] = scale * 0.5;
    state[at + 1u] = 0;
    update[0] = state[at + 2u];
    update[1] = 0;
    update[2] = 0;
    update[6] = 0;
    return;
  }
  let steps = state[at + 2u] + 1;
  state[at + 2u] = steps;
  update[0] = steps;
  update[1] = attempt.rate / -expm1(steps * attempt.logBeta1);
  update[2] = 1 / sqrt(-expm1(steps * attempt.logBeta2));
  update[6] = 1 / scale;
  let grows = state[at + 1u] + 1 >= parameters.growthInterval;
  // As in PyTorch, a scale that would become infinite stays.
  state[at] = select(scale, scale * 2, grows && scale < 1.7e38);
  state[at + 1u] = select(state[at + 1u] + 1, 0, grows);
}
