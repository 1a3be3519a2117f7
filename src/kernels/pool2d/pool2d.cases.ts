import { channelsOf, elementCount, type Shape } from '../../base/shape.ts';
import { affineMap, distinct, grid, normal, uniform, words } from '../draw.ts';
import type { Case, OpCases } from '../reference.ts';
import { type AvgPool2dAttributes, avgPool2d, avgPool2dBatchNormGradient, avgPool2dGradient } from './avg-pool2d.ts';
import { globalAvgPool2d, globalAvgPool2dGradient } from './global-avg-pool2d.ts';
import {
  type MaxPool2dAttributes,
  maxPool2d,
  maxPool2dBatchNormGradient,
  maxPool2dGradient,
  maxPool2dMoments,
  tapsPerWord,
} from './max-pool2d.ts';
import {
  avgPool2dBatchNormGradientReference,
  avgPool2dGradientReference,
  avgPool2dReference,
  globalAvgPool2dGradientReference,
  globalAvgPool2dReference,
  maxPool2dBatchNormGradientReference,
  maxPool2dGradientReference,
  maxPool2dMomentsReference,
  maxPool2dReference,
} from './pool2d.reference.ts';
import type { Pool2dAttributes } from './window.ts';

const windows = (kernel: number, stride: number, padding = 0): Pool2dAttributes => ({
  kernel: [kernel, kernel],
  stride: [stride, stride],
  padding: [padding, padding],
});

const pools: readonly (Pool2dAttributes & { readonly name: string; readonly x: Shape })[] = [
  { name: '3x3, stride 2, padding 1', x: [2, 9, 8, 3], ...windows(3, 2, 1) },
  { name: '3x3, stride 2, padding 1, 32 channels', x: [1, 5, 7, 32], ...windows(3, 2, 1) },
  { name: '3x3, stride 2, 36 channels', x: [2, 7, 6, 36], ...windows(3, 2) },
  { name: '2x2, odd size, 4 channels', x: [2, 7, 6, 4], ...windows(2, 2) },
  { name: '3x3, stride 1, padding 1', x: [1, 4, 5, 5], ...windows(3, 1, 1) },
  { name: '5x5, stride 3', x: [2, 11, 8, 1], ...windows(5, 3) },
  { name: '2x2, stride 3: gaps', x: [1, 8, 9, 4], ...windows(2, 3) },
  { name: '3x2, rectangular', x: [2, 6, 7, 4], kernel: [3, 2], stride: [2, 1], padding: [1, 0] },
  { name: '17x16: more taps than a byte counts', x: [1, 18, 17, 4], ...windows(17, 1), kernel: [17, 16] },
  { name: 'one window', x: [3, 2, 2, 4], ...windows(2, 2) },
];

const attributesOf = ({ kernel, stride, padding }: Pool2dAttributes): Pool2dAttributes => ({ kernel, stride, padding });

const tied: Case<Pool2dAttributes> = {
  name: 'ties: the first maximum in reading order',
  inputs: [grid('max_pool2d ties', [2, 9, 8, 4], { step: 1, reach: 1 })],
  attributes: windows(3, 2, 1),
};

/** A ReLU makes ties of all that is negative: again the first in reading order. */
const maxPrologues: readonly Case<MaxPool2dAttributes>[] = pools.map((pool, index) => {
  const prologue = (['relu', 'relu6', 'none'] as const)[index % 3] ?? 'none';
  return {
    name: `${pool.name}, ${prologue} prologue`,
    inputs: [grid(`${pool.name}.x`, pool.x), affineMap(pool.name, channelsOf(pool.x))],
    attributes: { ...attributesOf(pool), prologue },
  };
});

const negative: Case<Pool2dAttributes> = {
  name: 'negative numbers: padding never wins',
  inputs: [uniform('max_pool2d negative', [1, 5, 5, 3], -2, -1)],
  attributes: windows(3, 2, 1),
};

const averages: readonly { readonly name: string; readonly x: Shape; readonly attributes: AvgPool2dAttributes }[] =
  pools.flatMap((pool) =>
    [true, false].map((countPadding) => ({
      name: countPadding ? pool.name : `${pool.name}, without the padding`,
      x: pool.x,
      attributes: { ...attributesOf(pool), countPadding },
    })),
  );

const globals: readonly Shape[] = [
  [2, 3, 5, 3],
  [3, 7, 7, 32],
  [1, 1, 1, 4],
  [2, 10, 9, 36],
];

const outShape = (x: Shape, { kernel, stride, padding }: Pool2dAttributes): Shape => {
  const extent = (axis: 0 | 1) =>
    Math.floor(((x[axis + 1] as number) + 2 * padding[axis] - kernel[axis]) / stride[axis]) + 1;
  return [x[0] as number, extent(0), extent(1), x[3] as number];
};

function maxGradientCase(pool: (typeof pools)[number]): Case<Pool2dAttributes & { xShape: Shape }> {
  const x = distinct(`${pool.name}.x`, pool.x);
  const y = outShape(pool.x, pool);
  const elementOf = maxPool2dReference([{ ...x, values: Float64Array.from(x.values) }], pool);
  const dy = normal(`${pool.name}.dy`, y);
  const wordsShape = [...y.slice(0, -1), channelsOf(y) / tapsPerWord(channelsOf(y), pool)];
  const indices = words(
    wordsShape,
    Array.from({ length: elementCount(wordsShape) }, (_, index) => elementOf(1, index).value),
  );
  return { name: pool.name, inputs: [dy, indices], attributes: { ...attributesOf(pool), xShape: pool.x } };
}

export const pool2dCases: readonly OpCases[] = [
  {
    op: maxPool2d,
    reference: maxPool2dReference,
    maps: [0],
    cases: [
      ...pools.map((pool) => ({
        name: pool.name,
        inputs: [distinct(`${pool.name}.x`, pool.x)],
        attributes: attributesOf(pool),
        differentiate: [0],
      })),
      tied,
      negative,
      ...maxPrologues,
    ],
  },
  {
    op: maxPool2dMoments,
    reference: maxPool2dMomentsReference,
    maps: [0],
    cases: pools.map((pool) => ({
      name: pool.name,
      inputs: [distinct(`${pool.name}.x`, pool.x)],
      attributes: attributesOf(pool),
    })),
  },
  { op: maxPool2dGradient, reference: maxPool2dGradientReference, maps: [0, 1], cases: pools.map(maxGradientCase) },
  {
    op: maxPool2dBatchNormGradient,
    reference: maxPool2dBatchNormGradientReference,
    maps: [0, 1, 2, 4],
    cases: pools.flatMap((pool, index) => {
      const { name, inputs, attributes } = maxGradientCase(pool);
      const operands = [...inputs, grid(`${name}.x`, pool.x), affineMap(name, channelsOf(pool.x))];
      const activation = (['relu', 'relu6', 'none'] as const)[index % 3] ?? 'none';
      const shared = { ...attributes, activation, training: true };
      return [
        { name, inputs: [...operands, undefined], attributes: shared },
        {
          name: `${name}, added to a tensor`,
          inputs: [...operands, normal(`${name}.into`, pool.x)],
          attributes: shared,
        },
      ];
    }),
  },
  {
    op: avgPool2d,
    reference: avgPool2dReference,
    maps: [0],
    cases: [
      ...averages.map(({ name, x, attributes }) => ({
        name,
        inputs: [normal(`${name}.x`, x)],
        attributes,
        differentiate: [0],
      })),
      ...averages.map(({ name, x, attributes }) => ({
        name: `${name}, relu prologue`,
        inputs: [grid(`${name}.x`, x), affineMap(name, channelsOf(x))],
        attributes: { ...attributes, prologue: 'relu' as const },
      })),
    ],
  },
  {
    op: avgPool2dBatchNormGradient,
    reference: avgPool2dBatchNormGradientReference,
    maps: [0, 1, 3],
    cases: averages.flatMap(({ name, x, attributes }, index) => {
      const inputs = [
        normal(`${name}.dy`, outShape(x, attributes)),
        grid(`${name}.x`, x),
        affineMap(name, channelsOf(x)),
      ];
      const activation = (['relu', 'relu6', 'none'] as const)[index % 3] ?? 'none';
      const shared = { ...attributes, xShape: x, activation, training: true };
      return [
        { name, inputs: [...inputs, undefined], attributes: shared },
        { name: `${name}, added to a tensor`, inputs: [...inputs, normal(`${name}.into`, x)], attributes: shared },
      ];
    }),
  },
  {
    op: avgPool2dGradient,
    reference: avgPool2dGradientReference,
    maps: [0],
    cases: averages.map(({ name, x, attributes }) => ({
      name,
      inputs: [normal(`${name}.dy`, outShape(x, attributes))],
      attributes: { ...attributes, xShape: x },
    })),
  },
  {
    op: globalAvgPool2d,
    reference: globalAvgPool2dReference,
    maps: [0],
    cases: globals.map((x) => ({
      name: x.join('x'),
      inputs: [normal(`global ${x}`, x)],
      attributes: {},
      differentiate: [0],
    })),
  },
  {
    op: globalAvgPool2dGradient,
    reference: globalAvgPool2dGradientReference,
    maps: [0],
    cases: globals.map((x) => ({
      name: x.join('x'),
      inputs: [normal(`global ${x}.dy`, [x[0] as number, 1, 1, x[3] as number])],
      attributes: { xShape: x },
    })),
  },
];
