export {
  type BatchNormAttributes,
  batchNormApply,
  batchNormDataGradient,
  batchNormWeightGradient,
} from './apply.ts';
export { type BatchNormFoldAttributes, batchNormFold, batchNormMoments } from './statistics.ts';
