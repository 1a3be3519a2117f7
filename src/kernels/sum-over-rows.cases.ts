import type { Shape } from '../base/shape.ts';
import { normal } from './draw.ts';
import type { OpCases } from './reference.ts';
import { sumOverRowsReference } from './sum-over-rows.reference.ts';
import { sumOverRows } from './sum-over-rows.ts';

const shapes: readonly Shape[] = [
  [1, 1, 1, 1],
  [5, 1, 1, 1],
  [2, 3, 5, 3],
  [3, 13, 11, 5],
  [2, 5, 4, 4],
  [1, 7, 3, 36],
  [2, 31, 17, 8],
];

export const sumOverRowsCases: OpCases<Record<never, never>> = {
  op: sumOverRows,
  reference: sumOverRowsReference,
  maps: [0],
  cases: shapes.map((shape) => ({
    name: shape.join('x'),
    inputs: [normal(`sum_over_rows ${shape}`, shape)],
    attributes: {},
  })),
};
