import { required } from '../base/errors.ts';
import { roundedToF16 } from '../base/half.ts';
import { Random } from '../base/random.ts';
import { channelsOf, elementCount, rowsOf, type Shape, type TensorType } from '../base/shape.ts';
import { adamStep } from '../kernels/adam.cases.ts';
import { AUGMENT_WORDS, type AugmentAttributes } from '../kernels/augment.ts';
import { affineMap, grid, normal, positivePair, words } from '../kernels/draw.ts';
import { gradScalerCases } from '../kernels/grad-scaler.cases.ts';
import type { CaseInput } from '../kernels/reference.ts';
import type { LayerCase } from './layer-cases.ts';

/** Inputs are cut out of long rows of random numbers: drawing millions for every layer would take longer than it. */
const POOL = 1 << 21;
const pools = {
  normal: normal('pool', [POOL]).values as Float32Array,
  /** Multiples of 1/64: an affine map of `affineMap` takes none of them to a kink of a ReLU. */
  grid: grid('pool', [POOL]).values as Float32Array,
};

function cut(pool: Float32Array, shape: Shape, start: number): CaseInput {
  const values = new Float32Array(elementCount(shape));
  for (let at = 0, from = start; at < values.length; from = 0) {
    const part = pool.subarray(from, from + values.length - at);
    values.set(part, at);
    at += part.length;
  }
  return { shape, dtype: 'f32', values };
}

/** Values for the inputs of a layer: what their names stand for decides which numbers they may be. */
export function layerInputs(layer: LayerCase): (CaseInput | undefined)[] {
  return layer.inputs.map((type, slot) => {
    const input = type && layerInput(layer, type, slot);
    return type?.dtype === 'f16' && input?.values instanceof Float32Array
      ? { ...input, values: roundedToF16(input.values) }
      : input;
  });
}

/** Words, and numbers of which only some are possible, by the name of the input. */
const drawn: Readonly<Record<string, (layer: LayerCase, type: TensorType) => CaseInput>> = {
  affine: ({ name }, { shape }) => affineMap(name, channelsOf(shape)),
  running: pair,
  moments: pair,
  v: positive,
  weights: positive,
  targets: (_, { shape }) => ({
    shape,
    dtype: 'f32',
    values: cut(pools.grid, shape, 0).values.map((one) => +(one > 0)),
  }),
  // Words, also where the tensor is f32, as what grad_scaler writes.
  step: (_, { shape }) => words(shape, adamStep(12, 1e-4).values.slice(0, elementCount(shape))),
  state: () => ofScaler(0),
  scaler: () => ofScaler(0),
  nonfinite: () => ofScaler(1),
  attempt: () => ofScaler(2),
  bytes(_, { shape }) {
    const random = new Random(elementCount(shape));
    return words(
      shape,
      Uint32Array.from({ length: elementCount(shape) }, () => random.bits()),
    );
  },
  images: imageTable,
};

function layerInput(layer: LayerCase, type: TensorType, slot: number): CaseInput {
  const { shape } = type;
  const role = (layer.op.inputs[slot] ?? '').replace('?', '');
  const start = 7919 * (slot + 1);
  const draw = drawn[role] ?? (isPair(shape) ? pair : undefined);
  if (draw) return draw(layer, type);
  if (type.dtype === 'u32') {
    // Which of the nine places of a pool's window was the largest, or a count.
    const values = Uint32Array.from(
      { length: elementCount(shape) },
      (_, index) => ((pools.grid[index % POOL] as number) * 64 + 128) % 9,
    );
    return { shape, dtype: 'u32', values };
  }
  return cut(role === 'x' ? pools.grid : pools.normal, shape, start);
}

/** Whether a tensor has the shape of moments, whatever it is called. */
const isPair = (shape: Shape): boolean => shape.length === 4 && shape.slice(0, 3).join() === '1,1,2';

function pair({ name }: LayerCase, { shape }: TensorType): CaseInput {
  return { ...positivePair(name, channelsOf(shape)), shape };
}

function positive(_: LayerCase, { shape }: TensorType): CaseInput {
  return { shape, dtype: 'f32', values: cut(pools.normal, shape, 0).values.map(Math.abs) };
}

/** What grad_scaler reads has one size in all networks. */
const ofScaler = (slot: number): CaseInput =>
  required(gradScalerCases.cases[1]?.inputs[slot], 'an input of grad_scaler');

/** Images side by side in `bytes`, grey or of three planes, as there is room: every other one mirrored, all turned. */
function imageTable({ inputs, attributes }: LayerCase, { shape }: TensorType): CaseInput {
  const { size } = attributes as AugmentAttributes;
  const rows = rowsOf(shape);
  const room = Math.floor(elementCount(inputs[0]?.shape ?? []) / rows) * 4;
  const values = new Uint32Array(rows * AUGMENT_WORDS);
  const floats = new Float32Array(values.buffer);
  for (let row = 0; row < rows; row++) {
    values.set([row * room, room < 3 * size * size ? 1 : 3, row % 2], row * AUGMENT_WORDS);
    floats.set([Math.cos(row / 8), Math.sin(row / 8)], row * AUGMENT_WORDS + 3);
  }
  return { shape, dtype: 'u32', values };
}

/**
 * Positions of a tensor where a tiled kernel may go wrong: the corners, the ends of rows and images, both sides of the
 * edges of tiles of 32 and 256 pixels and of 4 and 32 channels, the last tile; and 32 at random.
 */
export function edgePositions(shape: Shape): number[] {
  const rows = rowsOf(shape);
  const channels = channelsOf(shape);
  const [, height = 1, width = 1] = shape;
  const edges = (size: number, tiles: readonly number[]) => {
    const lasts = tiles.map((tile) => Math.floor((size - 1) / tile) * tile);
    const places = [0, 1, size - 1, ...tiles, ...lasts].flatMap((edge) => [edge - 1, edge]);
    return [...new Set(places)].filter((place) => place >= 0 && place < size);
  };
  const random = new Random(rows, channels);
  const drawn = Array.from({ length: 32 }, () => random.integer(rows * channels));
  const crossed = edges(rows, [32, 256, width, height * width]).flatMap((row) =>
    edges(channels, [4, 32]).map((channel) => row * channels + channel),
  );
  return [...new Set([...crossed, ...drawn])].sort((a, b) => a - b);
}
