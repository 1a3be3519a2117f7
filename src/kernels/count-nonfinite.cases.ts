import { countNonfiniteReference } from './count-nonfinite.reference.ts';
import { countNonfinite } from './count-nonfinite.ts';
import { normal, words } from './draw.ts';
import type { Case, CaseInput, OpCases } from './reference.ts';

const largest = 3.4028234663852886e38;

/** Normal numbers, some of them the largest there are, and others at given places. */
function withNumbers(count: number, numbers: Readonly<Record<number, number>>): CaseInput {
  const input = normal(`nonfinite ${count}`, [count]);
  const values = Float32Array.from(input.values, (value, index) =>
    index % 5 === 3 ? Math.sign(value) * largest : value,
  );
  for (const [place, number] of Object.entries(numbers)) values[Number(place)] = number;
  return { ...input, values };
}

const cases: readonly Case<Record<never, never>>[] = [
  { name: '1 element, finite', inputs: [withNumbers(1, {}), undefined], attributes: {} },
  { name: '1 element, NaN', inputs: [withNumbers(1, { 0: Number.NaN }), undefined], attributes: {} },
  { name: '2003 elements, all finite', inputs: [withNumbers(2003, {}), undefined], attributes: {} },
  {
    name: '9001 elements, infinities and NaN at the ends and between, added to 5',
    inputs: [
      withNumbers(9001, { 0: Number.POSITIVE_INFINITY, 4500: Number.NaN, 9000: Number.NEGATIVE_INFINITY }),
      words([1], [5]),
    ],
    attributes: {},
  },
];

export const countNonfiniteCases: OpCases<Record<never, never>> = {
  op: countNonfinite,
  reference: countNonfiniteReference,
  cases,
};
