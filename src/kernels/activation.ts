/**
 * An activation that clamps to a range: ReLU is [0, inf), ReLU6 [0, 6]. Its gradient passes strictly inside the range,
 * as PyTorch's does.
 */
export type Activation = 'none' | 'relu' | 'relu6';

/** Stands for infinity in shaders, which have no literal for it: the largest f32. */
const UNBOUNDED = 3.4028234663852886e38;

/** Uniforms `low` and `high` of an activation. */
export function activationRange(activation: Activation): { low: number; high: number } {
  return {
    low: activation === 'none' ? -UNBOUNDED : 0,
    high: activation === 'relu6' ? 6 : UNBOUNDED,
  };
}
