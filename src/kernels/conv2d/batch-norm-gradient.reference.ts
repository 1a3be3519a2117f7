import { throughBatchNorm } from '../batch-norm/epilogue.reference.ts';
import type { Reference } from '../reference.ts';
import type { BatchNormGradientAttributes } from './batch-norm-gradient.ts';
import { conv2dDataGradientReference } from './conv2d.reference.ts';

/** See throughBatchNorm; dz: gradient of the convolution's input. */
export const conv2dBatchNormGradientReference: Reference<BatchNormGradientAttributes> = (
  [dy, w, ...others],
  attributes,
) => {
  const ofDz = conv2dDataGradientReference([dy, w, undefined], attributes);
  return throughBatchNorm((index) => ofDz(0, index), others, attributes);
};
