import { required } from '../../base/errors.ts';
import { elementCount, type Shape } from '../../base/shape.ts';
import type { LaunchContext, OpDefinition, Variant } from '../definition.ts';
import { f32 } from '../definition.ts';
import { bytesOf, LANES, placement, spread } from '../launch.ts';
import { smallGroups } from './depthwise.ts';
import { directLaunch } from './direct.ts';
import {
  type Conv2dAttributes,
  geometryOf,
  isVectorised,
  multiplyAccumulates,
  pixelGroups,
  registerBlocks,
  vectorUniforms,
} from './geometry.ts';
import { groupedDataGradient } from './grouped.ts';

export interface DataGradientAttributes extends Conv2dAttributes {
  /** [N,H,W,C] of the convolution's input. */
  readonly xShape: Shape;
}

function operandsOf({ inputs, outputs, attributes }: LaunchContext<DataGradientAttributes>) {
  const dy = required(inputs[0], 'conv2d_data_gradient: dy');
  const w = required(inputs[1], 'conv2d_data_gradient: weight');
  const dx = required(outputs[0], 'conv2d_data_gradient: dx');
  const geometry = geometryOf('conv2d_data_gradient', attributes.xShape, w.shape, attributes);
  return { dy, w, dx, geometry, accumulate: inputs[2] !== undefined };
}

const pixels: Variant<DataGradientAttributes> = {
  name: 'pixels',
  fits: ({ outputs: [dx], inputs: [, w], attributes }) => !!dx && !!w && isVectorised(dx, w, attributes),
  launches(context) {
    const { dy, w, dx, geometry, accumulate } = operandsOf(context);
    const blocks = registerBlocks(geometry.inChannels);
    const lanes = context.traits.kind === 'hardware' ? 64 : LANES;
    const count = geometry.images * geometry.height * geometry.width;
    return [
      {
        shader: 'conv2d_data_gradient_pixels.wgsl',
        entry: 'data_gradient',
        constants: { BLOCKS: blocks, LANES: lanes },
        bindings: { dy, w, dx },
        uniforms: {
          pixels: count,
          ...vectorUniforms(geometry, context.attributes),
          ...placement('dy', dy, 4),
          wOffset: w.offset / 4,
          ...placement('dx', dx, 4),
          accumulate: accumulate ? 1 : 0,
        },
        workgroups: [geometry.inChannels / 4 / blocks, ...spread(pixelGroups(count, lanes))],
      },
    ];
  },
};

const direct: Variant<DataGradientAttributes> = {
  name: 'direct',
  fits: () => true,
  launches(context) {
    const { dy, w, dx, geometry, accumulate } = operandsOf(context);
    return [
      directLaunch({
        entry: 'data_gradient',
        results: elementCount(dx.shape),
        geometry,
        attributes: context.attributes,
        libraries: ['lib/prologue_none.wgsl', 'lib/bias_none.wgsl'],
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
  stridedOutput: true,
  accumulates: 2,
  images: {
    whole: [1],
    attributes: (attributes, { count }) => ({ ...attributes, xShape: [count, ...attributes.xShape.slice(1)] }),
  },
  shape: (_inputs, { xShape }) => [f32(...xShape)],
  cost({ inputs, outputs, attributes }) {
    const geometry = geometryOf('conv2d_data_gradient', attributes.xShape, inputs[1]?.shape ?? [], attributes);
    return { flops: 2 * multiplyAccumulates(geometry, attributes.groups), bytes: bytesOf(...inputs, ...outputs) };
  },
  variants: [pixels, ...smallGroups.dataGradient, groupedDataGradient, direct],
};
