import { accumulateMean } from './accumulate-mean.ts';
import { adam } from './adam.ts';
import { augment } from './augment.ts';
import {
  batchNormApply,
  batchNormCoefficients,
  batchNormCorrection,
  batchNormDataGradient,
  batchNormFold,
  batchNormMergeMoments,
  batchNormMoments,
  batchNormWeightGradient,
} from './batch-norm/index.ts';
import { bceWithLogits, bceWithLogitsGradient } from './bce-with-logits.ts';
import { classActivationMap } from './class-activation-map.ts';
import { concat, concatImages, narrow, narrowImages } from './concat.ts';
import {
  conv2d,
  conv2dBatchNormGradient,
  conv2dDataGradient,
  conv2dMoments,
  conv2dWeightGradient,
} from './conv2d/index.ts';
import { countNonfinite } from './count-nonfinite.ts';
import type { OpDefinition } from './definition.ts';
import { activate, activateGradient, add, copy, dropout } from './elementwise.ts';
import { gradScaler } from './grad-scaler.ts';
import {
  adaptiveAvgPool2d,
  adaptiveAvgPool2dGradient,
  avgPool2d,
  avgPool2dBatchNormGradient,
  avgPool2dGradient,
  globalAvgPool2d,
  globalAvgPool2dGradient,
  maxPool2d,
  maxPool2dBatchNormGradient,
  maxPool2dGradient,
  maxPool2dMoments,
} from './pool2d/index.ts';
import { sumOverRows } from './sum-over-rows.ts';

/** Every op, in one list: tests, gradient checks and benchmarks iterate it. */
export const ops: readonly OpDefinition[] = [
  accumulateMean,
  activate,
  activateGradient,
  adam,
  adaptiveAvgPool2d,
  adaptiveAvgPool2dGradient,
  add,
  augment,
  avgPool2d,
  avgPool2dBatchNormGradient,
  avgPool2dGradient,
  batchNormApply,
  batchNormCoefficients,
  batchNormCorrection,
  batchNormDataGradient,
  batchNormFold,
  batchNormMergeMoments,
  batchNormMoments,
  batchNormWeightGradient,
  bceWithLogits,
  bceWithLogitsGradient,
  classActivationMap,
  concat,
  concatImages,
  conv2d,
  conv2dBatchNormGradient,
  conv2dDataGradient,
  conv2dMoments,
  conv2dWeightGradient,
  copy,
  countNonfinite,
  dropout,
  globalAvgPool2d,
  globalAvgPool2dGradient,
  gradScaler,
  maxPool2d,
  maxPool2dBatchNormGradient,
  maxPool2dGradient,
  maxPool2dMoments,
  narrow,
  narrowImages,
  sumOverRows,
];
