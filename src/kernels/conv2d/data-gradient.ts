import { elementCount } from '../../base/shape.ts';
import type { OpDefinition, Variant } from '../definition.ts';
import { f32 } from '../definition.ts';
import { bytesOf } from '../launch.ts';
import { conv2dBatchNormGradient } from './batch-norm-gradient.ts';
import { pixelRuns, pixelsLaunch } from './data-gradient-pixels.ts';
import { tiledLaunch, tilesFit } from './data-gradient-tiled.ts';
import { smallGroups } from './depthwise.ts';
import { directLaunch } from './direct.ts';
import { type DataGradientAttributes, geometryOf, isVectorisedGradient, multiplyAccumulates } from './geometry.ts';
import { groupedDataGradient } from './grouped.ts';
import { dataGradientOperands } from './operands.ts';
import { gemms } from './tiled-launch.ts';

const tiles = gemms.map(
  (gemm): Variant<DataGradientAttributes> => ({
    name: gemm.name,
    fits: (signature) => tilesFit(gemm, signature),
    launches: (context) => [tiledLaunch(gemm, dataGradientOperands(context), context.attributes, context.traits)],
  }),
);

const pixels: Variant<DataGradientAttributes> = {
  name: 'pixels',
  fits: isVectorisedGradient,
  launches(context) {
    const operands = dataGradientOperands(context);
    return [pixelsLaunch(operands, context.attributes, pixelRuns(operands.geometry, context.traits))];
  },
};

const direct: Variant<DataGradientAttributes> = {
  name: 'direct',
  fits: () => true,
  launches(context) {
    const { dy, w, dx, geometry, accumulate } = dataGradientOperands(context);
    return [
      directLaunch({
        entry: 'data_gradient',
        results: elementCount(dx.shape),
        geometry,
        attributes: context.attributes,
        libraries: ['lib/prologue_none.wgsl', 'lib/bias_none.wgsl', 'lib/output_none.wgsl'],
        bindings: { dy, w, result: dx },
        x: dx,
        w,
        y: dy,
        accumulate,
      }),
    ];
  },
};

/** Gradient of a convolution's input: dy [N,OH,OW,O], weight [KH,KW,C/groups,O] -> dx [N,H,W,C], added to `into`. */
export const conv2dDataGradient: OpDefinition<DataGradientAttributes> = {
  name: 'conv2d_data_gradient',
  inputs: ['dy', 'weight', 'into?'],
  outputs: ['dx'],
  half: { inputs: [0], outputs: [0] },
  stridedOutput: true,
  accumulates: 2,
  images: {
    whole: [1],
    attributes: (attributes, { count }) => ({ ...attributes, xShape: [count, ...attributes.xShape.slice(1)] }),
  },
  epilogue: { op: conv2dBatchNormGradient, fits: isVectorisedGradient },
  shape: (_inputs, { xShape }) => [f32(...xShape)],
  cost({ inputs, outputs, attributes }) {
    const geometry = geometryOf('conv2d_data_gradient', attributes.xShape, inputs[1]?.shape ?? [], attributes);
    return { flops: 2 * multiplyAccumulates(geometry, attributes.groups), bytes: bytesOf(...inputs, ...outputs) };
  },
  variants: [...tiles, pixels, ...smallGroups.dataGradient, groupedDataGradient, direct],
};
