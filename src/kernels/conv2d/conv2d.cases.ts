import type { Shape } from '../../base/shape.ts';
import type { Activation } from '../activation.ts';
import { affineMap, grid, normal } from '../draw.ts';
import type { Case, OpCases } from '../reference.ts';
import { conv2dBatchNormGradientReference } from './batch-norm-gradient.reference.ts';
import { type BatchNormGradientAttributes, conv2dBatchNormGradient } from './batch-norm-gradient.ts';
import {
  conv2dDataGradientReference,
  conv2dMomentsReference,
  conv2dReference,
  conv2dWeightGradientReference,
} from './conv2d.reference.ts';
import { conv2dDataGradient } from './data-gradient.ts';
import { conv2d } from './forward.ts';
import { type Conv2dAttributes, type DataGradientAttributes, geometryOf } from './geometry.ts';
import { conv2dMoments } from './moments.ts';
import { conv2dWeightGradient, type WeightGradientAttributes } from './weight-gradient.ts';

type Pair = readonly [number, number];

interface Sizes {
  /** [N,H,W,C] */
  readonly x: Shape;
  readonly kernel: Pair;
  readonly channels: number;
  readonly stride?: Pair;
  readonly padding?: Pair;
  readonly groups?: number;
  readonly bias?: boolean;
}

/** The convolutions whose three directions are compared, and whose gradients are compared with central differences. */
const convolutions: Readonly<Record<string, Sizes>> = {
  'one pixel, one channel': { x: [1, 1, 1, 1], kernel: [1, 1], channels: 1 },
  '1x1, odd channels': { x: [3, 3, 5, 5], kernel: [1, 1], channels: 3, bias: true },
  '1x1, 32 to 32 channels': { x: [1, 3, 5, 32], kernel: [1, 1], channels: 32, bias: true },
  '1x1, 4 to 12 channels, stride 2, bias': {
    x: [2, 5, 4, 4],
    kernel: [1, 1],
    channels: 12,
    stride: [2, 2],
    bias: true,
  },
  '1x1, more pixels than a tile': { x: [3, 9, 13, 4], kernel: [1, 1], channels: 8 },
  '1x1, 5 to 1 channel: a head': { x: [3, 1, 1, 5], kernel: [1, 1], channels: 1, bias: true },
  '3x3, 1 to 5 channels': { x: [2, 4, 7, 1], kernel: [3, 3], channels: 5, padding: [1, 1] },
  '3x3, 4 to 4 channels': { x: [2, 6, 5, 4], kernel: [3, 3], channels: 4, padding: [1, 1] },
  '3x3, 20 to 12 channels': { x: [1, 3, 3, 20], kernel: [3, 3], channels: 12, padding: [1, 1], bias: true },
  '3x3, 8 to 32 channels, stride 2': { x: [1, 5, 6, 8], kernel: [3, 3], channels: 32, stride: [2, 2], padding: [1, 1] },
  '3x3, no padding, stride 3 by 2': { x: [2, 8, 7, 4], kernel: [3, 3], channels: 4, stride: [3, 2] },
  '3x3 on fewer pixels than the kernel': { x: [2, 2, 1, 4], kernel: [3, 3], channels: 8, padding: [1, 1] },
  '7x7, stride 2, padding 3': { x: [1, 7, 9, 4], kernel: [7, 7], channels: 4, stride: [2, 2], padding: [3, 3] },
  '7x7, 3 channels': { x: [1, 8, 7, 3], kernel: [7, 7], channels: 4, stride: [2, 2], padding: [3, 3] },
  '1x7': { x: [2, 3, 8, 4], kernel: [1, 7], channels: 4, padding: [0, 3] },
  '7x1, odd channels': { x: [2, 8, 3, 3], kernel: [7, 1], channels: 5, padding: [3, 0] },
  '5x3, padding wider than needed': { x: [1, 4, 5, 4], kernel: [5, 3], channels: 8, padding: [4, 2] },
  'two groups': { x: [2, 4, 5, 6], kernel: [3, 3], channels: 4, padding: [1, 1], groups: 2 },
  'four groups of 4, stride 2': {
    x: [1, 5, 4, 16],
    kernel: [3, 3],
    channels: 8,
    stride: [2, 2],
    padding: [1, 1],
    groups: 4,
  },
  depthwise: { x: [2, 4, 5, 8], kernel: [3, 3], channels: 8, padding: [1, 1], groups: 8 },
  'depthwise, stride 2, two outputs each': {
    x: [1, 5, 6, 3],
    kernel: [3, 3],
    channels: 6,
    stride: [2, 2],
    padding: [1, 1],
    groups: 3,
    bias: true,
  },
  'depthwise, more rows than a tile': { x: [1, 18, 3, 4], kernel: [3, 3], channels: 4, padding: [1, 1], groups: 4 },
  'depthwise, more columns and channels than a tile': {
    x: [1, 2, 6, 36],
    kernel: [3, 3],
    channels: 36,
    padding: [1, 1],
    groups: 36,
    bias: true,
  },
  'depthwise, stride 2': {
    x: [2, 5, 8, 12],
    kernel: [3, 3],
    channels: 12,
    stride: [2, 2],
    padding: [1, 1],
    groups: 12,
  },
  'depthwise, stride 2, no padding': { x: [1, 6, 7, 4], kernel: [3, 3], channels: 4, stride: [2, 2], groups: 4 },
  'depthwise 5x5': { x: [1, 6, 7, 8], kernel: [5, 5], channels: 8, padding: [2, 2], groups: 8, bias: true },
  'depthwise 3x5, padding wider than needed, stride 2 by 3': {
    x: [1, 5, 9, 4],
    kernel: [3, 5],
    channels: 4,
    stride: [2, 3],
    padding: [3, 5],
    groups: 4,
  },
  'depthwise 1x1, stride 2: pixels without a tap': {
    x: [1, 4, 5, 8],
    kernel: [1, 1],
    channels: 8,
    stride: [2, 2],
    groups: 8,
  },
  'depthwise on one pixel': { x: [3, 1, 1, 8], kernel: [3, 3], channels: 8, padding: [1, 1], groups: 8 },
  'groups of 4': { x: [1, 2, 3, 36], kernel: [3, 3], channels: 36, padding: [1, 1], groups: 9, bias: true },
  'groups of 4, stride 2': {
    x: [1, 5, 8, 8],
    kernel: [3, 3],
    channels: 8,
    stride: [2, 2],
    padding: [1, 1],
    groups: 2,
  },
  'groups of 4 on one pixel': { x: [3, 1, 1, 8], kernel: [3, 3], channels: 8, padding: [1, 1], groups: 2 },
  'groups of 4, 5x3, stride 1 by 3, padding wider than needed': {
    x: [1, 4, 7, 8],
    kernel: [5, 3],
    channels: 8,
    stride: [1, 3],
    padding: [4, 3],
    groups: 2,
  },
  'groups of 8': { x: [1, 4, 6, 16], kernel: [3, 3], channels: 16, padding: [1, 1], groups: 2, bias: true },
  'groups of 8 inputs and 12 outputs, stride 2': {
    x: [2, 5, 8, 16],
    kernel: [3, 3],
    channels: 24,
    stride: [2, 2],
    padding: [1, 1],
    groups: 2,
  },
  'groups of 4 inputs and 16 outputs, 5x5': {
    x: [1, 3, 5, 8],
    kernel: [5, 5],
    channels: 32,
    padding: [2, 2],
    groups: 2,
  },
  'groups of 16, 1x1, stride 2: pixels without a tap': {
    x: [1, 4, 5, 32],
    kernel: [1, 1],
    channels: 32,
    stride: [2, 2],
    groups: 2,
  },
  'groups of 8, 2x3, stride 3 by 2, padding wider than needed': {
    x: [1, 5, 6, 16],
    kernel: [2, 3],
    channels: 16,
    stride: [3, 2],
    padding: [4, 3],
    groups: 2,
  },
  'groups of 8 on one pixel': { x: [2, 1, 1, 16], kernel: [3, 3], channels: 16, padding: [1, 1], groups: 2 },
};

function operands(name: string, { x, kernel, channels, stride = [1, 1], padding = [0, 0], groups = 1 }: Sizes) {
  const weightShape: Shape = [...kernel, (x[3] as number) / groups, channels];
  const attributes: Conv2dAttributes = { stride, padding, groups };
  const { images, outHeight, outWidth } = geometryOf('conv2d', x, weightShape, attributes);
  return {
    attributes,
    weightShape,
    x: normal(`${name}.x`, x),
    weight: normal(`${name}.weight`, weightShape),
    dy: normal(`${name}.dy`, [images, outHeight, outWidth, channels]),
  };
}

function forwardCase([name, sizes]: [string, Sizes]): Case<Conv2dAttributes> {
  const { x, weight, attributes } = operands(name, sizes);
  const bias = sizes.bias ? normal(`${name}.bias`, [sizes.channels]) : undefined;
  return {
    name,
    inputs: [x, weight, bias, undefined],
    attributes,
    differentiate: bias ? [0, 1, 2] : [0, 1],
  };
}

function prologueCase([name, sizes]: [string, Sizes], prologue: Activation): Case<Conv2dAttributes> {
  const { weight, attributes } = operands(name, sizes);
  return {
    name: `${name}, ${prologue} prologue`,
    inputs: [grid(`${name}.x`, sizes.x), weight, undefined, affineMap(name, sizes.x[3] as number)],
    attributes: { ...attributes, prologue },
  };
}

/** With everything that is done to the output before it is stored, and with the activation alone. */
function outputCases([name, sizes]: [string, Sizes], activation: Activation): Case<Conv2dAttributes>[] {
  const { x, weight, dy, attributes } = operands(name, sizes);
  const bias = sizes.bias ? normal(`${name}.bias`, [sizes.channels]) : undefined;
  const inputs = [x, weight, bias, undefined];
  const affine = affineMap(`${name}.output`, sizes.channels);
  const residual = normal(`${name}.residual`, dy.shape);
  const shared = { ...attributes, activation };
  return [
    { name: `${name}, normalised, ${activation}`, inputs: [...inputs, affine], attributes: shared },
    {
      name: `${name}, normalised, added to a tensor, ${activation}`,
      inputs: [...inputs, affine, residual],
      attributes: shared,
    },
    { name: `${name}, ${activation}`, inputs, attributes: shared },
  ];
}

function dataGradientCase([name, sizes]: [string, Sizes], into: boolean): Case<DataGradientAttributes> {
  const { dy, weight, attributes } = operands(name, sizes);
  return {
    name: into ? `${name}, added to a tensor` : name,
    inputs: [dy, weight, into ? normal(`${name}.into`, sizes.x) : undefined],
    attributes: { ...attributes, xShape: sizes.x },
  };
}

function weightGradientCase([name, sizes]: [string, Sizes]): Case<WeightGradientAttributes> {
  const { x, dy, attributes, weightShape } = operands(name, sizes);
  return { name, inputs: [x, dy, undefined], attributes: { ...attributes, weightShape } };
}

function weightGradientPrologueCase(
  [name, sizes]: [string, Sizes],
  prologue: Activation,
): Case<WeightGradientAttributes> {
  const { dy, attributes, weightShape } = operands(name, sizes);
  return {
    name: `${name}, ${prologue} prologue`,
    inputs: [grid(`${name}.x`, sizes.x), dy, affineMap(name, sizes.x[3] as number)],
    attributes: { ...attributes, weightShape, prologue },
  };
}

const all = Object.entries(convolutions);
const pick = (...names: (keyof typeof convolutions)[]) => all.filter(([name]) => names.includes(name));
const withPrologue = pick(
  '1x1, odd channels',
  '1x1, 32 to 32 channels',
  '1x1, 4 to 12 channels, stride 2, bias',
  '3x3, 4 to 4 channels',
  '3x3, 20 to 12 channels',
  '7x7, stride 2, padding 3',
  'two groups',
  'depthwise, stride 2',
  'depthwise 5x5',
  'groups of 4',
  'groups of 8 inputs and 12 outputs, stride 2',
);

/** More pixels than a workgroup computes: too many for central differences. */
const severalGroups: [string, Sizes] = [
  '3x3, 8 to 16 channels, several workgroups',
  { x: [2, 5, 7, 8], kernel: [3, 3], channels: 16, padding: [1, 1] },
];

/** Weight gradients that are long enough to be split over workgroups. */
const manyPixels: Readonly<Record<string, Sizes>> = {
  '1x1, many pixels': { x: [2, 23, 29, 8], kernel: [1, 1], channels: 4 },
  '3x3, many pixels': { x: [2, 19, 17, 4], kernel: [3, 3], channels: 36, padding: [1, 1] },
  'depthwise, many pixels': { x: [2, 67, 9, 8], kernel: [3, 3], channels: 8, padding: [1, 1], groups: 8 },
  'groups of 4, many pixels': { x: [2, 19, 17, 8], kernel: [3, 3], channels: 8, padding: [1, 1], groups: 2 },
  'groups of 8, many pixels': { x: [2, 19, 17, 16], kernel: [3, 3], channels: 16, padding: [1, 1], groups: 2 },
};

/** Convolutions that a kernel computes which can gather moments. */
const withMoments = pick(
  '1x1, 32 to 32 channels',
  '1x1, 4 to 12 channels, stride 2, bias',
  '1x1, more pixels than a tile',
  '3x3, 20 to 12 channels',
  '3x3, 8 to 32 channels, stride 2',
  'depthwise, more rows than a tile',
  'depthwise, more columns and channels than a tile',
  'depthwise, stride 2',
  'groups of 4, stride 2',
  'groups of 4 on one pixel',
  'groups of 8 inputs and 12 outputs, stride 2',
  'groups of 4 inputs and 16 outputs, 5x5',
);

function momentsCase(one: [string, Sizes]): Case<Conv2dAttributes> {
  const { differentiate: _, ...plain } = forwardCase(one);
  return plain;
}

/** Far from zero: the digits of a variance are lost where it is not taken about a value of the result. */
function farMomentsCase([name, sizes]: [string, Sizes]): Case<Conv2dAttributes> {
  const { x, weight, attributes } = operands(name, sizes);
  const bias = normal(`${name}.far`, [sizes.channels], { mean: 1000, deviation: 100 });
  return { name: `${name}, a bias of 1000`, inputs: [x, weight, bias, undefined], attributes };
}

function batchNormGradientCases(
  [name, sizes]: [string, Sizes],
  activation: Activation,
): Case<BatchNormGradientAttributes>[] {
  const { dy, weight, attributes } = operands(name, sizes);
  const channels = sizes.x[3] as number;
  const inputs = [dy, weight, grid(`${name}.x`, sizes.x), affineMap(name, channels)];
  const into = normal(`${name}.into`, sizes.x);
  const shared = { ...attributes, xShape: sizes.x, activation, training: true };
  return [
    { name: `${name}, ${activation}`, inputs: [...inputs, undefined], attributes: shared },
    { name: `${name}, ${activation}, added to a tensor`, inputs: [...inputs, into], attributes: shared },
  ];
}

/** As many pixels as make a lane work through several tiles. */
const severalTiles: [string, Sizes] = ['1x1, several tiles', { x: [2, 29, 23, 4], kernel: [1, 1], channels: 4 }];

export const conv2dCases: readonly OpCases[] = [
  {
    op: conv2d,
    reference: conv2dReference,
    maps: [0, 5],
    cases: [
      ...all.map(forwardCase),
      prologueCase(severalGroups, 'relu'),
      ...withPrologue.flatMap((one) => (['none', 'relu', 'relu6'] as const).map((kind) => prologueCase(one, kind))),
      ...withPrologue.flatMap((one, index) =>
        outputCases(one, (['relu', 'none', 'relu6'] as const)[index % 3] ?? 'none'),
      ),
    ],
  },
  {
    op: conv2dMoments,
    reference: conv2dMomentsReference,
    maps: [0, 5],
    cases: [
      ...[...withMoments, ...Object.entries(manyPixels)].map(momentsCase),
      ...pick('1x1, more pixels than a tile', 'depthwise, stride 2', 'groups of 8').map(farMomentsCase),
      ...pick('1x1, 32 to 32 channels', 'depthwise, stride 2', 'groups of 4').map((one) => prologueCase(one, 'relu')),
    ],
  },
  {
    op: conv2dDataGradient,
    reference: conv2dDataGradientReference,
    maps: [0, 2],
    cases: all.flatMap((one) => [dataGradientCase(one, false), dataGradientCase(one, true)]),
  },
  {
    op: conv2dBatchNormGradient,
    reference: conv2dBatchNormGradientReference,
    maps: [0, 2, 4],
    cases: [
      ...batchNormGradientCases(severalTiles, 'relu'),
      ...pick(
        '1x1, 32 to 32 channels',
        '1x1, 4 to 12 channels, stride 2, bias',
        '1x1, more pixels than a tile',
        '3x3, 4 to 4 channels',
        '3x3, 20 to 12 channels',
      ).flatMap((one, index) => batchNormGradientCases(one, (['relu', 'relu6', 'none'] as const)[index % 3] ?? 'none')),
    ],
  },
  {
    op: conv2dWeightGradient,
    reference: conv2dWeightGradientReference,
    maps: [0, 1],
    cases: [
      ...[...all, ...Object.entries(manyPixels)].map(weightGradientCase),
      ...withPrologue.map((one) => weightGradientPrologueCase(one, 'relu')),
    ],
  },
];
