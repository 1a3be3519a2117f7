import { required } from '../base/errors.ts';
import { elementCount } from '../base/shape.ts';
import type { BceAttributes } from './bce-with-logits.ts';
import { at, type Reference, rounded, Sum } from './reference.ts';

/** log(1 + exp(x)) */
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** Times `weight`: mean of, each times its own of `weights`, -(w t log p + (1 - t) log(1 - p)) with p = 1 / (1 + exp(-logit)). float32's log(1 + e) is known to eps. */
export const bceWithLogitsReference: Reference<BceAttributes> = ([x, t, w], { positiveWeight, weight = 1 }) => {
  const [logits, targets] = [required(x, 'logits'), required(t, 'targets')];
  const count = elementCount(logits.shape);
  return () => {
    const sum = new Sum();
    for (let index = 0; index < count; index++) {
      const [logit, target] = [at(logits, index), at(targets, index)];
      const positive = positiveWeight * target * softplus(-logit);
      const negative = (1 - target) * softplus(logit);
      const own = w ? at(w, index) : 1;
      sum.add(own * (positive + negative), own * (Math.abs(logit) + positive + 1 + positiveWeight));
    }
    return sum.element(count / weight);
  };
};

/** WGSL's exp(x) is known to 3 + 2 |x| ulp. */
export const bceWithLogitsGradientReference: Reference<BceAttributes> = ([x, t, w, scaler], attributes) => {
  const { positiveWeight } = attributes;
  const weight = (attributes.weight ?? 1) * (scaler ? at(scaler, 0) : 1);
  const [logits, targets] = [required(x, 'logits'), required(t, 'targets')];
  const count = elementCount(logits.shape);
  return (_, index) => {
    const [logit, target] = [at(logits, index), at(targets, index)];
    const negative = (1 - target) / (1 + Math.exp(-logit));
    const positive = (positiveWeight * target) / (1 + Math.exp(logit));
    const factor = ((w ? at(w, index) : 1) * weight) / count;
    return rounded((negative - positive) * factor, (1 + Math.abs(logit)) * (negative + positive) * factor);
  };
};
