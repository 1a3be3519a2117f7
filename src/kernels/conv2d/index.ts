export { conv2dBatchNormGradient } from './batch-norm-gradient.ts';
export { conv2dDataGradient } from './data-gradient.ts';
export { conv2d } from './forward.ts';
export { conv2dMoments } from './moments.ts';
export { conv2dWeightGradient } from './weight-gradient.ts';
