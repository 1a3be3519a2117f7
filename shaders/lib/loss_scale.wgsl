// The gradient of a loss is multiplied by the scale that the step's scaler holds in front (shaders/grad_scaler.wgsl).
@group(0) @binding(5) var<storage, read> scaler: array<f32>;

fn loss_scale() -> f32 {
  return scaler[0];
}
