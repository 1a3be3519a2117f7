import { fnv1a32, Random } from '../base/random.ts';
import { channelsOf, elementCount, type Shape } from '../base/shape.ts';
import type { CaseInput } from './reference.ts';

const f32Input = (shape: Shape, numberAt: (index: number) => number): CaseInput => ({
  shape,
  dtype: 'f32',
  values: Float32Array.from({ length: elementCount(shape) }, (_, index) => numberAt(index)),
});

/** Given numbers. */
export const given = (shape: Shape, values: readonly number[]): CaseInput =>
  f32Input(shape, (index) => values[index] as number);

export const filled = (shape: Shape, value: number): CaseInput => f32Input(shape, () => value);

/** Words of 32 bits. */
export const words = (shape: Shape, values: ArrayLike<number>): CaseInput => ({
  shape,
  dtype: 'u32',
  values: Uint32Array.from(values),
});

/** Normal numbers; each stream has its own. */
export function normal(stream: string, shape: Shape, { mean = 0, deviation = 1 } = {}): CaseInput {
  const random = new Random(fnv1a32(stream));
  return f32Input(shape, () => mean + deviation * random.normal());
}

/** Uniform numbers of [low, high). */
export function uniform(stream: string, shape: Shape, low: number, high: number): CaseInput {
  const random = new Random(fnv1a32(stream));
  return f32Input(shape, () => random.uniform(low, high));
}

/**
 * Multiples of `step` of about -reach to reach, plus `offset`. Products and sums of a few such numbers are exact in
 * float32, and an offset of half a step keeps them away from kinks.
 */
export function grid(
  stream: string,
  shape: Shape,
  { step = 1 / 64, reach = 2, offset = 0 }: { step?: number; reach?: number; offset?: number } = {},
): CaseInput {
  const random = new Random(fnv1a32(stream));
  const count = Math.round((2 * reach) / step);
  return f32Input(shape, () => offset + step * (random.integer(count + 1) - count / 2));
}

/** Different numbers, at least `step` apart: no ties, and no ties after a small change either. */
export function distinct(stream: string, shape: Shape, step = 1 / 64): CaseInput {
  const order = new Random(fnv1a32(stream)).permutation(elementCount(shape));
  return f32Input(shape, (index) => step * ((order[index] as number) - order.length / 2));
}

/**
 * Rows scale, shift, mean and 1 / sigma as batch_norm_fold writes them, drawn such that no x of `grid` is at a kink of a
 * ReLU or a ReLU6 after it: x * scale is a multiple of 1/512, the shift is none.
 */
export function affineMap(stream: string, channels: number): CaseInput {
  const shape = [1, channels];
  const rows = [
    grid(`${stream}.scale`, shape, { step: 1 / 8, reach: 2, offset: 1 / 16 }),
    grid(`${stream}.shift`, shape, { step: 1 / 512, reach: 1, offset: 1 / 4096 }),
    normal(`${stream}.mean`, shape),
    uniform(`${stream}.deviation`, shape, 0.5, 2),
  ];
  return given(
    [4, channels],
    rows.flatMap(({ values }) => [...values]),
  );
}

/** Rows gamma and beta, or mean and variance: the second row is positive. */
export function positivePair(stream: string, channels: number): CaseInput {
  const first = normal(`${stream}.first`, [channels]);
  const second = uniform(`${stream}.second`, [channels], 0.5, 2);
  return given([2, channelsOf(first.shape)], [...first.values, ...second.values]);
}
