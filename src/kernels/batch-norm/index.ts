export { batchNormApply, batchNormDataGradient, batchNormWeightGradient } from './apply.ts';
export { batchNormCoefficients, batchNormCorrection } from './correction.ts';
export { batchNormMergeMoments } from './merge-moments.ts';
export { batchNormFold, batchNormMoments } from './statistics.ts';
