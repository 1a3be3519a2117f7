import { ceilDivide, type Shape } from '../../base/shape.ts';
import type { AdapterTraits } from '../../base/traits.ts';
import { activationRange } from '../activation.ts';
import { gathering } from '../batch-norm/partial-moments.ts';
import { f32, type Variant } from '../definition.ts';
import { LANES, placement, spread } from '../launch.ts';
import { sumPartials } from '../sum-partials.ts';
import { type ForwardKernel, geometryOfForward } from './forward-kernel.ts';
import type { DataGradientAttributes } from './geometry.ts';
import { type Conv2dAttributes, type Geometry, geometryOf } from './geometry.ts';
import { dataGradientOperands, forwardOperands, weightGradientOperands } from './operands.ts';
import { inputBlocks, mapUniforms, tileGrid } from './tiles.ts';
import type { WeightGradientAttributes } from './weight-gradient.ts';

/** Groups so small that a lane of four channels is a whole group, or several. */
interface SmallGroups {
  readonly name: string;
  /** Input and output channels of a group. */
  readonly channels: 1 | 4;
  /** What the weights of four channels under a tap are: the end of the names of lib/tap_*.wgsl. */
  readonly tap: 'vector' | 'matrix';
  /** Neighbouring pixels of a lane. */
  readonly columns: number;
}

const depthwise: SmallGroups = { name: 'depthwise', channels: 1, tap: 'vector', columns: 4 };
const quads: SmallGroups = { name: 'quads', channels: 4, tap: 'matrix', columns: 2 };
const both = [depthwise, quads] as const;

function fits({ channels }: SmallGroups, weight: Shape | undefined, { groups }: Conv2dAttributes): boolean {
  const outputs = weight?.[3] ?? 0;
  return groups > 1 && weight?.[2] === channels && outputs === groups * channels && outputs % 4 === 0;
}

/** Tiles below each other in a workgroup, whose other side is LANES blocks of four channels. */
const tilesOf = (traits: AdapterTraits): number => (traits.kind === 'hardware' ? 8 : 1);

/** Rows that a lane walks down: the more, the fewer are loaded twice; the fewer, the more lanes there are. */
const rowsOf = (traits: AdapterTraits): number => (traits.kind === 'hardware' ? 8 : 16);

/** Channels in vec4f and workgroups over them. */
const channelsOf = (geometry: Geometry) => ({
  inChannels: geometry.inChannels / 4,
  columns: ceilDivide(geometry.inChannels / 4, LANES),
});

function constantsOf({ kernelHeight, kernelWidth }: Geometry, { stride }: Conv2dAttributes, traits: AdapterTraits) {
  return {
    TILES: tilesOf(traits),
    KERNEL_HEIGHT: kernelHeight,
    KERNEL_WIDTH: kernelWidth,
    STRIDE_Y: stride[0],
    STRIDE_X: stride[1],
  };
}

const forwardGrid = ({ images, outHeight, outWidth }: Geometry, traits: AdapterTraits, kind: SmallGroups) =>
  tileGrid(images, [outHeight, outWidth], rowsOf(traits), kind.columns);

const forward = (kind: SmallGroups): ForwardKernel => ({
  name: kind.name,
  fits: ({ inputs: [, w], attributes }) => fits(kind, w?.shape, attributes),
  parts: (signature) => forwardGrid(geometryOfForward(signature), signature.traits, kind).tiles,
  launch(context, partials) {
    const { attributes, traits } = context;
    const { geometry, libraries, bindings, uniforms } = forwardOperands(context);
    const { inChannels, columns } = channelsOf(geometry);
    const grid = forwardGrid(geometry, traits, kind);
    const moments = gathering(partials);
    return {
      shader: 'conv2d_depthwise.wgsl',
      entry: 'forward',
      libraries: [...libraries, `lib/tap_${kind.tap}.wgsl`, ...moments.libraries],
      constants: { COLUMNS: kind.columns, ...constantsOf(geometry, attributes, traits), ...moments.constants },
      bindings: { ...bindings, ...moments.bindings },
      uniforms: {
        ...grid,
        ...mapUniforms(geometry, attributes),
        inChannels,
        outChannels: inChannels,
        ...uniforms(4),
      },
      workgroups: [columns, ...spread(ceilDivide(grid.tiles, tilesOf(traits)))],
    };
  },
});

const dataGradient = (kind: SmallGroups): Variant<DataGradientAttributes> => ({
  name: kind.name,
  fits: ({ inputs: [, w], attributes }) => fits(kind, w?.shape, attributes),
  launches(context) {
    const { attributes, traits } = context;
    const { geometry, dy, w, dx, accumulate } = dataGradientOperands(context);
    const { inChannels, columns } = channelsOf(geometry);
    const { extent, ...first } = inputBlocks(geometry, attributes.stride, attributes.padding);
    const blocks = ceilDivide(kind.columns, attributes.stride[1]);
    const grid = tileGrid(geometry.images, extent, rowsOf(traits), blocks);
    return [
      {
        shader: 'conv2d_depthwise_data_gradient.wgsl',
        entry: 'data_gradient',
        libraries: [`lib/tap_${kind.tap}.wgsl`],
        constants: { COLUMNS: blocks * attributes.stride[1], ...constantsOf(geometry, attributes, traits) },
        bindings: { dy, w, dx },
        uniforms: {
          ...grid,
          ...first,
          ...mapUniforms(geometry, attributes),
          inChannels,
          ...placement('dy', dy, 4),
          wOffset: w.offset / 4,
          ...placement('dx', dx, 4),
          accumulate: accumulate ? 1 : 0,
        },
        workgroups: [columns, ...spread(ceilDivide(grid.tiles, tilesOf(traits)))],
      },
    ];
  },
});

/**
 * How the tiles are split over lanes: enough workgroups for every core, on a GPU for every processor, each with enough
 * rows to be worth a second launch.
 */
function splitOf(kind: SmallGroups, geometry: Geometry, traits: AdapterTraits) {
  const hardware = traits.kind === 'hardware';
  const { images, outHeight, outWidth } = geometry;
  const grid = tileGrid(images, [outHeight, outWidth], hardware ? 8 : 64, kind.columns);
  const wanted = Math.ceil((hardware ? 1024 : 16) / channelsOf(geometry).columns);
  const least = Math.min(grid.tiles, ceilDivide(hardware ? 8 : 128, grid.rows));
  const splitTiles = Math.max(least, ceilDivide(grid.tiles, wanted));
  return { ...grid, splitTiles, splits: ceilDivide(grid.tiles, splitTiles) };
}

const weightGradient = (kind: SmallGroups): Variant<WeightGradientAttributes> => ({
  name: kind.name,
  fits: ({ attributes }) => fits(kind, attributes.weightShape, attributes),
  scratch({ inputs: [x], attributes, traits }) {
    const geometry = geometryOf('conv2d_weight_gradient', x?.shape ?? [], attributes.weightShape, attributes);
    const { splits } = splitOf(kind, geometry, traits);
    return splits > 1 ? [f32(splits, ...attributes.weightShape)] : [];
  },
  launches(context) {
    const { attributes, traits } = context;
    const { geometry, x, dy, dw, partials, target, libraries, bindings } = weightGradientOperands(context);
    const { inChannels, columns } = channelsOf(geometry);
    const split = splitOf(kind, geometry, traits);
    const launch = {
      shader: 'conv2d_depthwise_weight_gradient.wgsl',
      entry: 'weight_gradient',
      libraries: [...libraries, `lib/tap_gradient_${kind.tap}.wgsl`],
      constants: { COLUMNS: kind.columns, ...constantsOf(geometry, attributes, traits) },
      bindings,
      uniforms: {
        ...split,
        ...mapUniforms(geometry, attributes),
        inChannels,
        ...placement('x', x, 4),
        ...placement('dy', dy, 4),
        dwOffset: target.offset / 4,
        ...activationRange(attributes.prologue ?? 'none'),
      },
      workgroups: [columns, ...spread(ceilDivide(split.splits, tilesOf(traits)))] as [number, number, number],
    };
    return partials ? [launch, sumPartials(partials, dw, split.splits, traits)] : [launch];
  },
});

/** Kernels for groups of one channel (depthwise) and of four. */
export const smallGroupsForward = both.map(forward);

/** Variants for the same. */
export const smallGroups = {
  dataGradient: both.map(dataGradient),
  weightGradient: both.map(weightGradient),
};
