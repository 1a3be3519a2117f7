import { bceWithLogitsGradientReference, bceWithLogitsReference } from './bce-with-logits.reference.ts';
import { type BceAttributes, bceWithLogits, bceWithLogitsGradient } from './bce-with-logits.ts';
import { given, normal } from './draw.ts';
import type { Case, OpCases } from './reference.ts';

const alternating = (count: number) =>
  given(
    [count],
    Array.from({ length: count }, (_, index) => index % 2),
  );

const batch = (count: number, positiveWeight: number): Case<BceAttributes> => ({
  name: `${count} logits, weight ${positiveWeight}`,
  inputs: [normal(`bce ${count}`, [count, 1, 1, 1], { deviation: 3 }), alternating(count)],
  attributes: { positiveWeight },
  differentiate: [0],
});

const cases: readonly Case<BceAttributes>[] = [
  batch(1, 1),
  batch(5, 1),
  batch(8, 1.5),
  batch(67, 0.4),
  { ...batch(6, 2), name: '6 logits, the loss times 0.4', attributes: { positiveWeight: 2, weight: 0.4 } },
  {
    ...batch(7, 1.5),
    name: '7 logits, weights of their own',
    inputs: [...batch(7, 1.5).inputs, given([7], [0.25, 0.75, 1, 0, 0.6, 2, 0.4])],
  },
  {
    name: 'logits of +-100 and +-20, right and wrong',
    inputs: [given([8, 1, 1, 1], [-100, 100, -100, 100, -20, 20, -20, 20]), given([8], [0, 1, 1, 0, 0, 1, 1, 0])],
    attributes: { positiveWeight: 1 },
  },
  {
    name: 'logits around 0 and 7, where the series takes over',
    inputs: [given([6, 1, 1, 1], [0, -0, 6.9, 6.91, -6.9, -6.91]), alternating(6)],
    attributes: { positiveWeight: 2 },
  },
];

export const bceWithLogitsCases: readonly OpCases[] = [
  { op: bceWithLogits, reference: bceWithLogitsReference, cases, loss: true },
  {
    op: bceWithLogitsGradient,
    reference: bceWithLogitsGradientReference,
    cases: [
      ...cases.map(({ name, inputs, attributes }) => ({ name, inputs, attributes })),
      {
        name: '8 logits, the loss scaled by 65536',
        inputs: [normal('bce scaled', [8, 1, 1, 1]), alternating(8), undefined, given([3], [65536, 5, 7])],
        attributes: { positiveWeight: 1 },
      },
    ],
  },
];
