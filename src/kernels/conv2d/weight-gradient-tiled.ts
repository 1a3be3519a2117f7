import { activationRange } from '../activation.ts';
import type { LaunchContext, Signature, Variant } from '../definition.ts';
import { f32 } from '../definition.ts';
import { placement } from '../launch.ts';
import { sumPartials } from '../sum-partials.ts';
import { type Gemm, suits, tileGroups, tileSplits } from './gemm-tiles.ts';
import { geometryOf, isVectorised } from './geometry.ts';
import { weightGradientOperands } from './operands.ts';
import { gemms, mapSizes, outputPixels, pipelineOf, taps, tileOn } from './tiled-launch.ts';
import type { WeightGradientAttributes } from './weight-gradient.ts';

/** The weight gradient as a product. */
function weightProduct({ inputs: [x], attributes }: Signature<WeightGradientAttributes>) {
  const geometry = geometryOf('conv2d_weight_gradient', x?.shape ?? [], attributes.weightShape, attributes);
  return { rows: taps(geometry) * geometry.inChannels, columns: geometry.outChannels, pixels: outputPixels(geometry) };
}

function weightGradientLaunches(gemm: Gemm, context: LaunchContext<WeightGradientAttributes>) {
  const { geometry, x, dy, dw, partials, target, libraries, bindings } = weightGradientOperands(context);
  const { attributes, traits } = context;
  const { rows, columns, pixels } = weightProduct(context);
  const tile = tileOn(gemm, traits);
  const { splitSteps, splits } = tileSplits(tile, rows, columns, pixels);
  const [down, across] = tileGroups(tile, rows, columns);
  const pipeline = pipelineOf(
    gemm,
    'conv2d_tiled_weight_gradient.wgsl',
    [...libraries, 'lib/tile_columns_none.wgsl'],
    geometry,
    attributes,
    traits,
  );
  const launch = {
    ...pipeline,
    entry: 'weight_gradient',
    constants: { ...pipeline.constants, LEFT_ALONG_K: 'false' },
    bindings,
    uniforms: {
      pixels,
      splitSteps,
      rows: rows / 4,
      ...mapSizes(geometry, attributes),
      ...placement('x', x, 4),
      ...placement('dy', dy, 4),
      dwOffset: target.offset / 4,
      ...activationRange(attributes.prologue ?? 'none'),
    },
    workgroups: [across, down, splits] as [number, number, number],
  };
  return partials ? [launch, sumPartials(partials, dw, splits, traits)] : [launch];
}

const weightGradient = (gemm: Gemm): Variant<WeightGradientAttributes> => ({
  name: gemm.name,
  fits(signature) {
    const { inputs, outputs, attributes, traits } = signature;
    const [[x], [dw]] = [inputs, outputs];
    const tile = gemm.tileOn(traits);
    if (!tile || !x || !dw || !isVectorised(x, dw, attributes)) return false;
    const { rows, columns, pixels } = weightProduct(signature);
    return suits(tile, rows, columns, pixels);
  },
  scratch(signature) {
    const { rows, columns, pixels } = weightProduct(signature);
    const { splits } = tileSplits(tileOn(gemm, signature.traits), rows, columns, pixels);
    return splits > 1 ? [f32(splits, ...signature.attributes.weightShape)] : [];
  },
  launches: (context) => weightGradientLaunches(gemm, context),
});

/** Tiles of products, for GPUs: see shaders/conv2d_tiled_weight_gradient.wgsl. */
export const tiledWeightGradient = gemms.map(weightGradient);
