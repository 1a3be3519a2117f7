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

/** Neighbouring pixels of a lane. */
const COLUMNS = 4;

function fits(weight: Shape | undefined, { groups }: Conv2dAttributes): boolean {
  const [, , inputs = 0, outputs = 0] = weight ?? [];
  return groups > 1 && inputs % 4 === 0 && (outputs / groups) % 4 === 0;
}

const lanesOf = (traits: AdapterTraits): number => (traits.kind === 'hardware' ? 64 : LANES);

/** Blocks of four channels of a group that a lane keeps in registers: the largest of 4, 2, 1 that divides them. */
const blocksOf = (channels: number, most: 2 | 4): number =>
  [4, 2].find((blocks) => blocks <= most && channels % blocks === 0) ?? 1;

/** Channels of a group, in vec4f. */
const groupOf = ({ inChannels, outChannels }: Geometry, { groups }: Conv2dAttributes) => ({
  groupInputs: inChannels / groups / 4,
  groupOutputs: outChannels / groups / 4,
});

/** Uniforms that all three kernels have. */
const uniformsOf = (geometry: Geometry, attributes: Conv2dAttributes) => ({
  ...mapUniforms(geometry, attributes),
  ...groupOf(geometry, attributes),
  outChannels: geometry.outChannels / 4,
  kernelHeight: geometry.kernelHeight,
  strideY: attributes.stride[0],
});

/** Workgroups side by side that gather moments: enough for every core, each with enough pixels for few partial moments. */
const MOST_RUNS = 16;

/** How the tiles are spread over workgroups, of which there are at most `mostRuns` side by side. */
function forwardRuns(geometry: Geometry, traits: AdapterTraits, mostRuns = Number.MAX_VALUE) {
  const lanes = lanesOf(traits);
  const { tiles, tileColumns } = tileGrid(geometry.images, [geometry.outHeight, geometry.outWidth], 1, COLUMNS);
  const groups = ceilDivide(tiles, lanes);
  const runTiles = ceilDivide(groups, mostRuns);
  return { lanes, tiles, tileColumns, runTiles, runs: ceilDivide(groups, runTiles) };
}

export const groupedForward: ForwardKernel = {
  name: 'grouped',
  fits: ({ inputs: [, w], attributes }) => fits(w?.shape, attributes),
  parts(signature) {
    const { runs, lanes } = forwardRuns(geometryOfForward(signature), signature.traits, MOST_RUNS);
    return runs * lanes;
  },
  launch(context, partials) {
    const { attributes, traits } = context;
    const { geometry, libraries, bindings, uniforms } = forwardOperands(context);
    const { lanes, tiles, tileColumns, runTiles, runs } = forwardRuns(geometry, traits, partials && MOST_RUNS);
    const blocks = blocksOf(groupOf(geometry, attributes).groupOutputs, 2);
    const moments = gathering(partials, { summed: blocks, parts: lanes });
    return {
      shader: 'conv2d_grouped.wgsl',
      entry: 'forward',
      libraries: [...libraries, ...moments.libraries, 'lib/multiply_add.wgsl'],
      constants: {
        LANES: lanes,
        COLUMNS,
        BLOCKS: blocks,
        KERNEL_WIDTH: geometry.kernelWidth,
        STRIDE_X: attributes.stride[1],
        ...moments.constants,
      },
      bindings: { ...bindings, ...moments.bindings },
      uniforms: {
        tiles,
        tileColumns,
        ...uniformsOf(geometry, attributes),
        inChannels: geometry.inChannels / 4,
        runTiles,
        ...uniforms(4),
      },
      workgroups: [geometry.outChannels / 4 / blocks, ...spread(runs)],
    };
  },
};

export const groupedDataGradient: Variant<DataGradientAttributes> = {
  name: 'grouped',
  fits: ({ inputs: [, w], attributes }) => fits(w?.shape, attributes),
  launches(context) {
    const { attributes, traits } = context;
    const { geometry, dy, w, dx, accumulate } = dataGradientOperands(context);
    const [strideY, strideX] = attributes.stride;
    const lanes = lanesOf(traits);
    const blocks = blocksOf(groupOf(geometry, attributes).groupInputs, 2);
    const { extent, ...first } = inputBlocks(geometry, attributes.stride, attributes.padding);
    const across = ceilDivide(COLUMNS, strideX);
    const { tiles, tileRows, tileColumns } = tileGrid(geometry.images, extent, 1, across);
    return [
      {
        shader: 'conv2d_grouped_data_gradient.wgsl',
        entry: 'data_gradient',
        libraries: ['lib/multiply_add.wgsl'],
        constants: {
          LANES: lanes,
          COLUMNS: across * strideX,
          BLOCKS: blocks,
          KERNEL_WIDTH: geometry.kernelWidth,
          STRIDE_X: strideX,
        },
        bindings: { dy, w, dx },
        uniforms: {
          tiles,
          tileRows,
          tileColumns,
          ...first,
          ...uniformsOf(geometry, attributes),
          ...placement('dy', dy, 4),
          wOffset: w.offset / 4,
          ...placement('dx', dx, 4),
          accumulate: accumulate ? 1 : 0,
        },
        workgroups: [geometry.inChannels / 4 / blocks, ...spread(ceilDivide(tiles, lanes) * strideY)],
      },
    ];
  },
};

/** How the pixels are split over lanes: enough workgroups for every core, each lane with enough pixels to be worth it. */
function splitOf(geometry: Geometry, attributes: Conv2dAttributes, traits: AdapterTraits) {
  const hardware = traits.kind === 'hardware';
  const { groupInputs, groupOutputs } = groupOf(geometry, attributes);
  const blocks = blocksOf(groupOutputs, 4);
  const columns = ceilDivide(geometry.kernelHeight * geometry.kernelWidth * groupInputs, LANES);
  const pixels = geometry.images * geometry.outHeight * geometry.outWidth;
  const wanted = Math.ceil((hardware ? 4096 : 16) / (columns * (geometry.outChannels / 4 / blocks)));
  const splitPixels = Math.max(ceilDivide(pixels, wanted), Math.min(pixels, 32));
  return { blocks, columns, pixels, splitPixels, splits: ceilDivide(pixels, splitPixels), below: hardware ? 8 : 1 };
}

export const groupedWeightGradient: Variant<WeightGradientAttributes> = {
  name: 'grouped',
  fits: ({ attributes }) => fits(attributes.weightShape, attributes),
  scratch({ inputs: [x], attributes, traits }) {
    const geometry = geometryOf('conv2d_weight_gradient', x?.shape ?? [], attributes.weightShape, attributes);
    const { splits } = splitOf(geometry, attributes, traits);
    return splits > 1 ? [f32(splits, ...attributes.weightShape)] : [];
  },
  launches(context) {
    const { attributes, traits } = context;
    const { geometry, x, dy, dw, partials, target, libraries, bindings } = weightGradientOperands(context);
    const { blocks, columns, below, ...split } = splitOf(geometry, attributes, traits);
    const launch = {
      shader: 'conv2d_grouped_weight_gradient.wgsl',
      entry: 'weight_gradient',
      libraries: [...libraries, 'lib/multiply_add.wgsl'],
      constants: { LANES, SPLITS: below, BLOCKS: blocks },
      bindings,
      uniforms: {
        ...split,
        ...uniformsOf(geometry, attributes),
        inChannels: geometry.inChannels / 4,
        kernelWidth: geometry.kernelWidth,
        strideX: attributes.stride[1],
        ...placement('x', x, 4),
        ...placement('dy', dy, 4),
        dwOffset: target.offset / 4,
        ...activationRange(attributes.prologue ?? 'none'),
      },
      workgroups: [columns, geometry.outChannels / 4 / blocks, ceilDivide(split.splits, below)] as [
        number,
        number,
        number,
      ],
    };
    return partials ? [launch, sumPartials(partials, dw, split.splits, traits)] : [launch];
  },
};
