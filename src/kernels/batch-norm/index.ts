export { batchNormApply, batchNormDataGradient, batchNormWeightGradient } from './apply.ts';
export { batchNormFold, batchNormMoments } from './statistics.ts';
