import { ceilDivide, elementCount, type Shape } from '../../base/shape.ts';
import type { AdapterTraits } from '../../base/traits.ts';
import { activationRange } from '../activation.ts';
import type { OpDefinition, Variant } from '../definition.ts';
import { f32 } from '../definition.ts';
import { summed } from '../elementwise.ts';
import { bytesOf, LANES, placement } from '../launch.ts';
import { sumPartials } from '../sum-partials.ts';
import { smallGroups } from './depthwise.ts';
import { directLaunch } from './direct.ts';
import {
  type Conv2dAttributes,
  type Geometry,
  geometryOf,
  isVectorised,
  multiplyAccumulates,
  registerBlocks,
  vectorUniforms,
} from './geometry.ts';
import { groupedWeightGradient } from './grouped.ts';
import { weightGradientOperands } from './operands.ts';
import { tiledWeightGradient } from './weight-gradient-tiled.ts';

export interface WeightGradientAttributes extends Conv2dAttributes {
  /** [KH,KW,C/groups,O] of the convolution's weight. */
  readonly weightShape: Shape;
}

const geometry = (x: Shape, attributes: WeightGradientAttributes): Geometry =>
  geometryOf('conv2d_weight_gradient', x, attributes.weightShape, attributes);

/** Pixels of so many channels that the cache of a CPU's core (1 MiB) holds; no fewer than are worth a sum of their own. */
const cachedPixels = (channels: number): number => Math.max(256, Math.floor(2 ** 18 / channels));

/**
 * How the pixels are split over workgroups: enough groups for every core, each with enough pixels to be worth it. On a
 * CPU no more than stay in a core's cache until all groups of a split have read them.
 */
function splitOf({ images, outHeight, outWidth, ...sizes }: Geometry, traits: AdapterTraits) {
  const lanes = traits.kind === 'hardware' ? 64 : LANES;
  const blocks = registerBlocks(sizes.outChannels);
  const columns = ceilDivide((sizes.kernelHeight * sizes.kernelWidth * sizes.inChannels) / 4, lanes);
  const groups = columns * (sizes.outChannels / 4 / blocks);
  const pixels = images * outHeight * outWidth;
  const wanted = Math.ceil((traits.kind === 'hardware' ? 512 : 8) / groups);
  const cached = traits.kind === 'hardware' ? pixels : cachedPixels(sizes.inChannels + sizes.outChannels);
  const splitPixels = Math.max(Math.min(ceilDivide(pixels, wanted), cached), Math.min(pixels, 32));
  return { lanes, blocks, columns, pixels, splitPixels, splits: ceilDivide(pixels, splitPixels) };
}

const lanes: Variant<WeightGradientAttributes> = {
  name: 'lanes',
  fits: ({ inputs: [x], outputs: [dw], attributes }) => !!x && !!dw && isVectorised(x, dw, attributes),
  scratch({ inputs: [x], attributes, traits }) {
    const { splits } = splitOf(geometry(x?.shape ?? [], attributes), traits);
    return splits > 1 ? [f32(splits, ...attributes.weightShape)] : [];
  },
  launches(context) {
    const { x, dy, dw, geometry: sizes, partials, target, libraries, bindings } = weightGradientOperands(context);
    const split = splitOf(sizes, context.traits);
    const launches = [
      {
        shader: 'conv2d_weight_gradient_lanes.wgsl',
        entry: 'weight_gradient',
        libraries: [...libraries, 'lib/multiply_add.wgsl'],
        constants: { BLOCKS: split.blocks, LANES: split.lanes },
        bindings,
        uniforms: {
          pixels: split.pixels,
          splitPixels: split.splitPixels,
          ...vectorUniforms(sizes, context.attributes),
          ...placement('x', x, 4),
          ...placement('dy', dy, 4),
          dwOffset: target.offset / 4,
          ...activationRange(context.attributes.prologue ?? 'none'),
        },
        workgroups: [split.columns, sizes.outChannels / 4 / split.blocks, split.splits] as [number, number, number],
      },
    ];
    return partials ? [...launches, sumPartials(partials, dw, split.splits, context.traits)] : launches;
  },
};

const direct: Variant<WeightGradientAttributes> = {
  name: 'direct',
  fits: () => true,
  launches(context) {
    const { x, dy, dw, geometry: sizes, libraries, bindings } = weightGradientOperands(context);
    const { dw: result, ...sources } = bindings;
    return [
      directLaunch({
        entry: 'weight_gradient',
        results: elementCount(dw.shape),
        geometry: sizes,
        attributes: context.attributes,
        libraries: [...libraries, 'lib/bias_none.wgsl', 'lib/output_none.wgsl'],
        bindings: { ...sources, result },
        x,
        w: dw,
        y: dy,
      }),
    ];
  },
};

/** Gradient of a convolution's weight: x [N,H,W,C], dy [N,OH,OW,O] -> dweight [KH,KW,C/groups,O]. */
export const conv2dWeightGradient: OpDefinition<WeightGradientAttributes> = {
  name: 'conv2d_weight_gradient',
  inputs: ['x', 'dy', 'affine?'],
  outputs: ['dweight'],
  half: { inputs: [0, 1], outputs: [] },
  prologue: { x: 0, affine: 2 },
  images: { whole: [2], combine: [summed] },
  shape: (_inputs, { weightShape }) => [f32(...weightShape)],
  cost({ inputs, outputs, attributes }) {
    const sizes = geometry(inputs[0]?.shape ?? [], attributes);
    return { flops: 2 * multiplyAccumulates(sizes, attributes.groups), bytes: bytesOf(...inputs, ...outputs) };
  },
  variants: [...tiledWeightGradient, lanes, ...smallGroups.weightGradient, groupedWeightGradient, direct],
};
