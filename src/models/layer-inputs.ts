import { roundedToF16 } from '../base/half.ts';
import { Random } from '../base/random.ts';
import { channelsOf, elementCount, rowsOf, type Shape, type TensorType } from '../base/shape.ts';
import { affineMap, grid, normal, positivePair } from '../kernels/draw.ts';
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

function layerInput({ op, name }: LayerCase, type: TensorType, slot: number): CaseInput {
  const { shape } = type;
  const role = (op.inputs[slot] ?? '').replace('?', '');
  const start = 7919 * (slot + 1);
  if (type.dtype === 'u32') {
    // The only words in a network's layers: which of the nine places of a pool's window was the largest.
    const values = Uint32Array.from(
      { length: elementCount(shape) },
      (_, index) => ((pools.grid[index % POOL] as number) * 64 + 128) % 9,
    );
    return { shape, dtype: 'u32', values };
  }
  if (role === 'affine') return affineMap(name, channelsOf(shape));
  if (role === 'running' || role === 'moments') return { ...positivePair(name, channelsOf(shape)), shape };
  return cut(role === 'x' ? pools.grid : pools.normal, shape, start);
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
