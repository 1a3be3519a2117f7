import { elementCount } from '../../base/shape.ts';
import type { OpDefinition, Signature, Variant } from '../definition.ts';
import { f32 } from '../definition.ts';
import { sumOverRows } from '../sum-over-rows.ts';
import { conv2dDataGradient } from './data-gradient.ts';
import { smallGroupsForward } from './depthwise.ts';
import { directLaunch } from './direct.ts';
import { withoutMoments } from './forward-kernel.ts';
import { pixelsForward } from './forward-pixels.ts';
import { gatheringTiles, tiledForward } from './forward-tiled.ts';
import { unrolledForward } from './forward-unrolled.ts';
import { type Conv2dAttributes, convolutionCost, convolutionShape } from './geometry.ts';
import { groupedForward } from './grouped.ts';
import { conv2dMoments } from './moments.ts';
import { forwardOperands } from './operands.ts';
import { conv2dWeightGradient } from './weight-gradient.ts';

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

const variants: readonly Variant<Conv2dAttributes>[] = [
  ...tiledForward.map(withoutMoments),
  unrolledForward,
  ...[pixelsForward, ...smallGroupsForward, groupedForward].map(withoutMoments),
  direct,
];

/**
 * Whether the first variant that fits can gather moments: another one would be slower. Kernels without tiles gather some
 * for each lane, which would be too many to merge on a GPU.
 */
function gathersMoments(signature: Signature<Conv2dAttributes>): boolean {
  const kernels = signature.traits.kind === 'hardware' ? gatheringTiles : conv2dMoments.variants;
  const gathering = kernels.find((one) => one.fits(signature));
  return gathering !== undefined && gathering.name === variants.find((one) => one.fits(signature))?.name;
}

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
  half: { inputs: [0, 5], outputs: [0] },
  stridedOutput: true,
  prologue: { x: 0, affine: 3 },
  output: { affine: 4, residual: 5 },
  images: { whole: [1, 2, 3, 4] },
  moments: { op: conv2dMoments, fits: gathersMoments },
  shape: (inputs, attributes) => [f32(...convolutionShape(inputs, attributes))],
  cost: convolutionCost,
  variants,
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
