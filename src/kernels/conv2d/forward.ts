import { elementCount } from '../../base/shape.ts';
import type { OpDefinition, Variant } from '../definition.ts';
import { f32 } from '../definition.ts';
import { bytesOf, LANES, spread } from '../launch.ts';
import { sumOverRows } from '../sum-over-rows.ts';
import { conv2dDataGradient } from './data-gradient.ts';
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
import { groupedForward } from './grouped.ts';
import { forwardOperands } from './operands.ts';
import { tiled } from './tiled.ts';
import { conv2dWeightGradient } from './weight-gradient.ts';

const pixels: Variant<Conv2dAttributes> = {
  name: 'pixels',
  fits: ({ inputs: [x, w], attributes }) => !!x && !!w && isVectorised(x, w, attributes),
  launches(context) {
    const { geometry, libraries, bindings, uniforms } = forwardOperands(context);
    const { attributes } = context;
    const blocks = registerBlocks(geometry.outChannels);
    const lanes = context.traits.kind === 'hardware' ? 64 : LANES;
    const count = geometry.images * geometry.outHeight * geometry.outWidth;
    return [
      {
        shader: 'conv2d_pixels.wgsl',
        entry: 'forward',
        libraries: [...libraries, 'lib/multiply_add.wgsl'],
        constants: { BLOCKS: blocks, LANES: lanes },
        bindings,
        uniforms: {
          pixels: count,
          ...vectorUniforms(geometry, attributes),
          ...uniforms(4),
        },
        workgroups: [geometry.outChannels / 4 / blocks, ...spread(pixelGroups(count, lanes))],
      },
    ];
  },
};

const direct: Variant<Conv2dAttributes> = {
  name: 'direct',
  fits: () => true,
  launches(context) {
    const { x, w, y, geometry, libraries, bindings, uniforms } = forwardOperands(context);
    const { y: result, ...sources } = bindings;
    return [
      directLaunch({
        entry: 'forward',
        results: elementCount(y.shape),
        geometry,
        attributes: context.attributes,
        libraries,
        bindings: { ...sources, result },
        x,
        w,
        y,
        uniforms: uniforms(1),
      }),
    ];
  },
};

/**
 * 2-D convolution (cross-correlation, as PyTorch's conv2d): x [N,H,W,C], weight [KH,KW,C/groups,O], bias [O] ->
 * [N,OH,OW,O]. With `affine` [4,C] the input is normalised and activated while it is loaded. What follows is applied
 * while the output is written: the normalisation `output_affine` [4,O], the sum with `residual` [N,OH,OW,O], which needs
 * one, and the activation of the attributes.
 */
export const conv2d: OpDefinition<Conv2dAttributes> = {
  name: 'conv2d',
  inputs: ['x', 'weight', 'bias?', 'affine?', 'output_affine?', 'residual?'],
  outputs: ['y'],
  stridedOutput: true,
  prologue: { x: 0, affine: 3 },
  output: { affine: 4, residual: 5 },
  images: { whole: [1, 2, 3, 4] },
  shape([x, weight], attributes) {
    const { images, outHeight, outWidth, outChannels } = geometryOf(
      'conv2d',
      x?.shape ?? [],
      weight?.shape ?? [],
      attributes,
    );
    return [f32(images, outHeight, outWidth, outChannels)];
  },
  cost({ inputs, outputs, attributes }) {
    const geometry = geometryOf('conv2d', inputs[0]?.shape ?? [], inputs[1]?.shape ?? [], attributes);
    return { flops: 2 * multiplyAccumulates(geometry, attributes.groups), bytes: bytesOf(...inputs, ...outputs) };
  },
  variants: [...tiled.forward, pixels, ...smallGroups.forward, groupedForward, direct],
  backward({ inputs: [x, weight, bias, affine, outputAffine], gradients: [dy], attributes, needs, emit }) {
    if (!x || !weight || !dy || affine || outputAffine || attributes.activation) return [];
    const dx = needs[0]
      ? emit(conv2dDataGradient, [dy, weight, undefined], { ...attributes, xShape: x.shape })
      : [undefined];
    const dweight = needs[1]
      ? emit(conv2dWeightGradient, [x, dy, undefined], { ...attributes, weightShape: weight.shape })
      : [undefined];
    const dbias = bias && needs[2] ? emit(sumOverRows, [dy], {}) : [undefined];
    return [dx[0], dweight[0], dbias[0]];
  },
};
