import { required } from '../base/errors.ts';
import type { GradScalerAttributes } from './grad-scaler.ts';
import { at, exact, floatAt, type Reference, type ReferenceTensor, rounded } from './reference.ts';

/** Outputs: Adam's words, and the state afterwards. The exponential function of WGSL is known to 3 + 2 |x| ulp. */
export const gradScalerReference: Reference<GradScalerAttributes> = (inputs, { growthInterval }) => {
  const [state, nonfinite, attempt] = inputs.map((input) => required(input, 'grad_scaler: input')) as [
    ReferenceTensor,
    ReferenceTensor,
    ReferenceTensor,
  ];
  const overflowed = at(nonfinite, 0) > 0;
  const [scale, good, steps] = [0, 1, 2].map((index) => at(state, index)) as [number, number, number];
  const grows = good + 1 >= growthInterval;
  const after = overflowed
    ? [scale / 2, 0, steps]
    : [grows && scale < 2 ** 127 ? 2 * scale : scale, grows ? 0 : good + 1, steps + 1];
  const correction = (logBeta: number) => -Math.expm1((steps + 1) * logBeta);
  const stepSize = floatAt(attempt, 1) / correction(floatAt(attempt, 2));
  const rootCorrection = 1 / Math.sqrt(correction(floatAt(attempt, 3)));
  const shares = [4, 5, 6].map((index) => exact(floatAt(attempt, index)));
  const update = [
    exact(after[2] as number),
    overflowed ? exact(0) : rounded(stepSize, stepSize, 4),
    overflowed ? exact(0) : rounded(rootCorrection, rootCorrection, 4),
    ...shares,
    exact(overflowed ? 0 : 1 / scale),
  ];
  return (output, index) => (output === 0 ? required(update[index], 'word') : exact(after[index] as number));
};
