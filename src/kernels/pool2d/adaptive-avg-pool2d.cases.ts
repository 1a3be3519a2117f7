import type { Shape } from '../../base/shape.ts';
import { normal } from '../draw.ts';
import type { OpCases } from '../reference.ts';
import { adaptiveAvgPool2dGradientReference, adaptiveAvgPool2dReference } from './adaptive-avg-pool2d.reference.ts';
import { adaptiveAvgPool2d, adaptiveAvgPool2dGradient } from './adaptive-avg-pool2d.ts';

const pools: readonly { readonly name: string; readonly x: Shape; readonly size: number }[] = [
  { name: 'overlapping windows: 10 to 7', x: [2, 10, 10, 4], size: 7 },
  { name: 'fewer pixels than windows: 2 to 7', x: [2, 2, 2, 8], size: 7 },
  { name: 'one pixel', x: [3, 1, 1, 3], size: 7 },
  { name: 'windows side by side: 6 to 3', x: [1, 6, 6, 5], size: 3 },
  { name: 'every pixel its own window', x: [2, 4, 4, 4], size: 4 },
  { name: 'height is not width: 5x11 to 3', x: [2, 5, 11, 36], size: 3 },
  { name: 'everything', x: [2, 5, 3, 4], size: 1 },
];

export const adaptiveAvgPool2dCases: readonly OpCases[] = [
  {
    op: adaptiveAvgPool2d,
    reference: adaptiveAvgPool2dReference,
    maps: [0],
    cases: pools.map(({ name, x, size }) => ({
      name,
      inputs: [normal(`adaptive ${name}.x`, x)],
      attributes: { size },
      differentiate: [0],
    })),
  },
  {
    op: adaptiveAvgPool2dGradient,
    reference: adaptiveAvgPool2dGradientReference,
    maps: [0],
    cases: pools.map(({ name, x, size }) => ({
      name,
      inputs: [normal(`adaptive ${name}.dy`, [x[0] as number, size, size, x[3] as number])],
      attributes: { size, xShape: x },
    })),
  },
];
