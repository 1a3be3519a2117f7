import { required } from '../base/errors.ts';
import { fmix32 } from '../base/random.ts';
import { activationRange } from './activation.ts';
import type { ActivationAttributes, DropoutAttributes } from './elementwise.ts';
import { at, exact, type Reference, rounded } from './reference.ts';

export const copyReference: Reference<Record<never, never>> = ([x]) => {
  const source = required(x, 'x');
  return (_, index) => exact(at(source, index));
};

export const addReference: Reference<Record<never, never>> = ([a, b]) => {
  const [left, right] = [required(a, 'a'), required(b, 'b')];
  return (_, index) => {
    const [first, second] = [at(left, index), at(right, index)];
    return rounded(first + second, Math.abs(first) + Math.abs(second));
  };
};

export const activationReference: Reference<ActivationAttributes> = ([x], { activation }) => {
  const source = required(x, 'x');
  const { low, high } = activationRange(activation);
  return (_, index) => exact(Math.min(high, Math.max(low, at(source, index))));
};

export const activationGradientReference: Reference<ActivationAttributes> = ([x, dy], { activation }) => {
  const [source, gradient] = [required(x, 'x'), required(dy, 'dy')];
  const { low, high } = activationRange(activation);
  return (_, index) => {
    const value = at(source, index);
    return exact(value > low && value < high ? at(gradient, index) : 0);
  };
};

/** An element is kept where its random number, a multiple of 2^-24 from (seed, step, position), is at least p. */
export const dropoutReference: Reference<DropoutAttributes> = ([x, step], { probability, seed, first = 0 }) => {
  const [source, number] = [required(x, 'x'), at(required(step, 'step'), 0)];
  const threshold = Math.fround(probability);
  const key = fmix32(seed ^ fmix32(number + 0x9e3779b9));
  return (_, index) => {
    const drawn = (fmix32(key + fmix32(first + index)) >>> 8) / 2 ** 24;
    const value = drawn >= threshold ? at(source, index) / (1 - probability) : 0;
    return rounded(value, Math.abs(value));
  };
};
