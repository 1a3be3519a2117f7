import { expect, test } from 'vitest';
import { fmix32, fnv1a32 } from '../../src/base/random.ts';
import { elementCount } from '../../src/base/shape.ts';
import { dot, formulaElement, formulaInput, formulaValues, unit } from './formula.ts';
import { readGolden } from './golden.ts';

interface Vectors {
  fnv1a32: Record<string, number>;
  fmix32: Record<string, number>;
  tensors: {
    key: string;
    shape: number[];
    gain: number;
    batch_norm: boolean;
    fnv1a32: number;
    hash: number[];
    u: number[];
    values: number[];
    last: number;
    dot: number;
  }[];
  inputs: { key: string; shape: number[]; values: number[]; values_from_256: number[]; last: number; dot: number }[];
  check_first: number[];
}

const vectors = readGolden<Vectors>('formula_vectors.json');
/** Rounding of a sum of float64 products in another order. */
const DIGITS = 10;

test('hashes', () => {
  for (const [key, hash] of Object.entries(vectors.fnv1a32)) expect(fnv1a32(key)).toBe(hash);
  for (const [word, hash] of Object.entries(vectors.fmix32)) expect(fmix32(Number(word))).toBe(hash);
  expect(vectors.check_first.map((_, index) => unit('check')(index))).toEqual(vectors.check_first);
});

test.each(vectors.tensors)('$key $shape', ({ key, shape, gain, batch_norm, ...expected }) => {
  const count = elementCount(shape);
  const element = formulaElement(key, shape, gain, batch_norm);
  const start = expected.values.map((_, index) => index);
  expect(start.map((index) => fmix32((fnv1a32(key) + index) | 0))).toEqual(expected.hash);
  expect(start.map(unit(key))).toEqual(expected.u);
  expect(start.map((index) => Math.fround(element(index)))).toEqual(expected.values);
  expect(Math.fround(element(count - 1))).toBe(expected.last);
  if (count > 1e6) return;
  expect(dot(formulaValues(key, shape, gain, batch_norm))).toBeCloseTo(expected.dot, DIGITS);
});

test.each(vectors.inputs)('$key $shape', ({ key, shape, ...expected }) => {
  const x = formulaInput(shape, key);
  expect([...x.subarray(0, 5)]).toEqual(expected.values);
  expect([...x.subarray(256, 261)]).toEqual(expected.values_from_256);
  expect(x.at(-1)).toBe(expected.last);
  expect(dot(x)).toBeCloseTo(expected.dot, DIGITS);
});
