import { channelsOf } from '../../base/shape.ts';
import { mergedMoments } from '../batch-norm/merge-moments.ts';
import { f32, type OpDefinition } from '../definition.ts';
import { smallGroupsForward } from './depthwise.ts';
import { withMoments } from './forward-kernel.ts';
import { pixelsForward } from './forward-pixels.ts';
import { gatheringTiles } from './forward-tiled.ts';
import { type Conv2dAttributes, convolutionCost, convolutionShape } from './geometry.ts';
import { groupedForward } from './grouped.ts';

/**
 * A convolution (see conv2d) that also gives mean and biased variance of every channel of its result: y [N,OH,OW,O] and
 * moments [1,1,2,O], which are gathered while y is written.
 */
export const conv2dMoments: OpDefinition<Conv2dAttributes> = {
  name: 'conv2d_moments',
  inputs: ['x', 'weight', 'bias?', 'affine?', 'output_affine?', 'residual?'],
  outputs: ['y', 'moments'],
  half: { inputs: [0, 5], outputs: [0] },
  stridedOutput: true,
  otherStridedOutputs: [1],
  prologue: { x: 0, affine: 3 },
  images: { whole: [1, 2, 3, 4], combine: [undefined, mergedMoments] },
  shape(inputs, attributes) {
    const y = convolutionShape(inputs, attributes);
    return [f32(...y), f32(1, 1, 2, channelsOf(y))];
  },
  cost: convolutionCost,
  variants: [...gatheringTiles, pixelsForward, ...smallGroupsForward, groupedForward].map(withMoments),
};
