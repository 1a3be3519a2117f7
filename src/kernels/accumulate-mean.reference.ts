import { required } from '../base/errors.ts';
import type { AccumulateMeanAttributes } from './accumulate-mean.ts';
import { at, type Reference, type ReferenceTensor, rounded } from './reference.ts';

/** x / parts, added to the mean so far except for the part of index 0; the output is the mean afterwards. */
export const accumulateMeanReference: Reference<AccumulateMeanAttributes> = (inputs, { parts }) => {
  const [mean, x, step] = inputs.map((input) => required(input, 'accumulate_mean: input')) as [
    ReferenceTensor,
    ReferenceTensor,
    ReferenceTensor,
  ];
  const isFirst = at(step, 1) === 0;
  return (_output, index) => {
    const before = isFirst ? 0 : at(mean, index);
    const share = at(x, index) / parts;
    return rounded(before + share, Math.abs(before) + Math.abs(share));
  };
};
