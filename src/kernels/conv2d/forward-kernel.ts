import { required } from '../../base/errors.ts';
import { mergePartials, partialMoments } from '../batch-norm/partial-moments.ts';
import type { Launch, LaunchContext, Operand, Signature, Variant } from '../definition.ts';
import { type Conv2dAttributes, geometryOf } from './geometry.ts';

/** A kernel that computes a convolution and can gather the moments of the result while it writes it. */
export interface ForwardKernel {
  readonly name: string;
  fits(signature: Signature<Conv2dAttributes>): boolean;
  /** How many partial moments its lanes gather for a channel. */
  parts(signature: Signature<Conv2dAttributes>): number;
  /** `partials`: where the moments go, if they are asked for. */
  launch(context: LaunchContext<Conv2dAttributes>, partials?: Operand): Launch;
}

export const geometryOfForward = ({ inputs: [x, w], attributes }: Signature<Conv2dAttributes>) =>
  geometryOf('conv2d', x?.shape ?? [], w?.shape ?? [], attributes);

/** The kernel as a variant of the convolution. */
export const withoutMoments = (kernel: ForwardKernel): Variant<Conv2dAttributes> => ({
  name: kernel.name,
  fits: (signature) => kernel.fits(signature),
  launches: (context) => [kernel.launch(context)],
});

/** The kernel as a variant of the convolution whose second output is the moments of the first. */
export const withMoments = (kernel: ForwardKernel): Variant<Conv2dAttributes> => ({
  name: kernel.name,
  fits: (signature) => kernel.fits(signature),
  scratch: (signature) => [partialMoments(kernel.parts(signature), geometryOfForward(signature).outChannels)],
  launches(context) {
    const partials = required(context.scratch[0], 'conv2d_moments: partials');
    const moments = required(context.outputs[1], 'conv2d_moments: moments');
    return [kernel.launch(context, partials), mergePartials(partials, moments, context.traits)];
  },
});
