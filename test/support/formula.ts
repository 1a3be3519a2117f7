import { fmix32, fnv1a32 } from '../../src/base/random.ts';
import { elementCount, type Shape } from '../../src/base/shape.ts';

/**
 * The weights and inputs of the PyTorch fixtures, from a hash: test/golden/oracle/FORMULA.md in TypeScript. All of it is
 * double precision, rounded to float32 once.
 */

/** u(key, i) in [-1, 1). */
export function unit(key: string): (index: number) => number {
  const base = fnv1a32(key);
  return (index) => fmix32((base + index) | 0) / 2147483648 - 1;
}

/** Element `i` of an entry of a state_dict, before its rounding to float32; `batchNorm`: the entry belongs to one. */
export function formulaElement(key: string, shape: Shape, gain: number, batchNorm: boolean): (index: number) => number {
  const u = unit(key);
  if (shape.length >= 2) {
    const scale = gain * Math.sqrt(3 / elementCount(shape.slice(1)));
    return (index) => u(index) * scale;
  }
  if (key.endsWith('running_var')) return (index) => 1 + 0.5 * Math.abs(u(index));
  if (key.endsWith('weight')) return (index) => 1 + 0.1 * u(index);
  if (key.endsWith('bias') && batchNorm) return (index) => 0.5 + 0.1 * u(index);
  return (index) => 0.1 * u(index);
}

/** The values of an entry of a state_dict. */
export function formulaValues(key: string, shape: Shape, gain: number, batchNorm: boolean): Float32Array<ArrayBuffer> {
  const element = formulaElement(key, shape, gain, batchNorm);
  return new Float32Array(elementCount(shape)).map((_, index) => element(index));
}

/** The input [N,3,H,W] of that name. */
export function formulaInput(shape: Shape, key = 'input'): Float32Array<ArrayBuffer> {
  const fine = unit(key);
  const coarse = unit(`${key}.coarse`);
  return new Float32Array(elementCount(shape)).map((_, index) => fine(index) + coarse(index >>> 8));
}

const check = unit('check');

/**
 * Sum of x[i] u("check", i), or of (x[i] - from[i]) u("check", i): it notices elements that are permuted or shifted, which
 * a norm does not.
 */
export const dot = (x: ArrayLike<number>, from?: ArrayLike<number>): number =>
  sum(x, from, (value, index) => value * check(index));

/** Euclidean norm, of x or of x - from. */
export const l2 = (x: ArrayLike<number>, from?: ArrayLike<number>): number =>
  Math.sqrt(sum(x, from, (value) => value * value));

function sum(
  x: ArrayLike<number>,
  from: ArrayLike<number> | undefined,
  term: (value: number, index: number) => number,
): number {
  let total = 0;
  for (let index = 0; index < x.length; index++) {
    total += term((x[index] as number) - (from ? (from[index] as number) : 0), index);
  }
  return total;
}
