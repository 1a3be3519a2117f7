import { required } from '../base/errors.ts';
import { accumulateMeanCases } from './accumulate-mean.cases.ts';
import { adamCases } from './adam.cases.ts';
import { augmentCases } from './augment.cases.ts';
import { batchNormCases } from './batch-norm/batch-norm.cases.ts';
import { bceWithLogitsCases } from './bce-with-logits.cases.ts';
import { classActivationMapCases } from './class-activation-map.cases.ts';
import { concatCases } from './concat.cases.ts';
import { conv2dCases } from './conv2d/conv2d.cases.ts';
import { countNonfiniteCases } from './count-nonfinite.cases.ts';
import type { OpDefinition } from './definition.ts';
import { elementwiseCases } from './elementwise.cases.ts';
import { gradScalerCases } from './grad-scaler.cases.ts';
import { adaptiveAvgPool2dCases } from './pool2d/adaptive-avg-pool2d.cases.ts';
import { pool2dCases } from './pool2d/pool2d.cases.ts';
import type { OpCases } from './reference.ts';
import { sumOverRowsCases } from './sum-over-rows.cases.ts';

/** The float64 definition and the cases of every op. */
export const opCases: readonly OpCases[] = [
  accumulateMeanCases,
  adamCases,
  ...adaptiveAvgPool2dCases,
  augmentCases,
  ...batchNormCases,
  ...bceWithLogitsCases,
  classActivationMapCases,
  ...concatCases,
  ...conv2dCases,
  countNonfiniteCases,
  ...elementwiseCases,
  gradScalerCases,
  ...pool2dCases,
  sumOverRowsCases,
];

/** The definition and cases of one op. */
export const casesOf = (op: OpDefinition): OpCases =>
  required(
    opCases.find((one) => one.op === op),
    `the reference of ${op.name}`,
  );
