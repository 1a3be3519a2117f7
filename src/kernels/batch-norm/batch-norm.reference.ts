import { required } from '../../base/errors.ts';
import { channelsOf, rowsOf } from '../../base/shape.ts';
import { activationRange } from '../activation.ts';
import { at, type Element, exact, type Reference, type ReferenceTensor, rounded, Sum } from '../reference.ts';
import type { BatchNormAttributes } from './apply.ts';
import type { MergeMomentsAttributes } from './merge-moments.ts';
import type { BatchNormFoldAttributes } from './statistics.ts';

function meanOf(x: ReferenceTensor, channel: number): Element {
  const channels = channelsOf(x.shape);
  const sum = new Sum();
  for (let row = 0; row < rowsOf(x.shape); row++) sum.add(at(x, row * channels + channel));
  return sum.element(rowsOf(x.shape));
}

/**
 * Mean of (x - mean)^2. Where |mean| is large against sigma, the mean itself is known to eps |mean| only, and the
 * means of parts of x, by which parts are merged, differ by up to sigma: an error of about eps |mean| sigma.
 */
function varianceOf(x: ReferenceTensor, channel: number): Element {
  const channels = channelsOf(x.shape);
  const rows = rowsOf(x.shape);
  const mean = meanOf(x, channel).value;
  const sum = new Sum();
  for (let row = 0; row < rows; row++) sum.add((at(x, row * channels + channel) - mean) ** 2);
  const { value, scale, terms } = sum.element(rows);
  return { value, scale: scale + (Math.abs(mean) * Math.sqrt(value)) / Math.sqrt(terms), terms };
}

/** Rows mean and biased variance of every channel. */
export const batchNormMomentsReference: Reference<Record<never, never>> = ([input]) => {
  const x = required(input, 'x');
  const channels = channelsOf(x.shape);
  return (_, index) => (index < channels ? meanOf(x, index) : varianceOf(x, index - channels));
};

/** Moments of two sets of values, the second a `share` of both: b's values are at a distance of the means' difference. */
export const batchNormMergeMomentsReference: Reference<MergeMomentsAttributes> = (inputs, { share }) => {
  const [a, b] = [required(inputs[0], 'a'), required(inputs[1], 'b')];
  const channels = channelsOf(a.shape);
  return (_, index) => {
    const channel = index % channels;
    const [meanA, meanB] = [at(a, channel), at(b, channel)];
    const mean = (1 - share) * meanA + share * meanB;
    if (index < channels) return rounded(mean, Math.abs(meanA) + share * Math.abs(meanB - meanA));
    const variance = (1 - share) * (at(a, index) + (meanA - mean) ** 2) + share * (at(b, index) + (meanB - mean) ** 2);
    return rounded(variance, variance, 4);
  };
};

/** Output 0: rows scale, shift, mean, 1 / sqrt(variance + epsilon). Output 1: the running statistics afterwards. */
export const batchNormFoldReference: Reference<BatchNormFoldAttributes> = (inputs, { epsilon, momentum, count }) => {
  const [weight, running] = [required(inputs[0], 'weight'), required(inputs[1], 'running')];
  const moments = inputs[2];
  const channels = channelsOf(weight.shape);
  const statistics = moments ?? running;
  const affineElement = (row: number, channel: number): Element => {
    const [gamma, beta] = [at(weight, channel), at(weight, channels + channel)];
    const mean = at(statistics, channel);
    const deviation = Math.sqrt(at(statistics, channels + channel) + epsilon);
    const scale = gamma / deviation;
    if (row === 0) return rounded(scale, Math.abs(scale));
    if (row === 1) return rounded(beta - mean * scale, Math.abs(beta) + Math.abs(mean * scale));
    return row === 2 ? exact(mean) : rounded(1 / deviation, 1 / deviation);
  };
  const runningElement = (index: number): Element => {
    const before = at(running, index);
    if (!moments) return exact(before);
    const unbias = index < channels ? 1 : count / Math.max(1, count - 1);
    const [kept, added] = [(1 - momentum) * before, momentum * unbias * at(moments, index)];
    return rounded(kept + added, Math.abs(kept) + Math.abs(added));
  };
  return (output, index) =>
    output === 0 ? affineElement(Math.floor(index / channels), index % channels) : runningElement(index);
};

/** Before the activation, and its size before anything cancelled. */
function normalised(x: ReferenceTensor, affine: ReferenceTensor, index: number): [value: number, magnitude: number] {
  const channels = channelsOf(x.shape);
  const scaled = at(x, index) * at(affine, index % channels);
  const shift = at(affine, channels + (index % channels));
  return [scaled + shift, Math.abs(scaled) + Math.abs(shift)];
}

/** z = activation(x scale + shift + residual). */
export const batchNormApplyReference: Reference<BatchNormAttributes> = (inputs, { activation }) => {
  const [x, affine] = [required(inputs[0], 'x'), required(inputs[2], 'affine')];
  const { low, high } = activationRange(activation);
  const residual = inputs[3];
  return (_, index) => {
    const [value, magnitude] = normalised(x, affine, index);
    const added = residual ? at(residual, index) : 0;
    return rounded(Math.min(high, Math.max(low, value + added)), magnitude + Math.abs(added));
  };
};

/** Gradient before the activation: dz where the activation passes it. */
function maskedGradient(
  dz: ReferenceTensor,
  x: ReferenceTensor,
  affine: ReferenceTensor,
  attributes: BatchNormAttributes,
) {
  const { low, high } = activationRange(attributes.activation);
  return (index: number): number => {
    const [value] = normalised(x, affine, index);
    return value > low && value < high ? at(dz, index) : 0;
  };
}

/** (x - mean) / sigma, and its size before it cancelled. */
function standardised(x: ReferenceTensor, affine: ReferenceTensor, index: number): [value: number, magnitude: number] {
  const channels = channelsOf(x.shape);
  const mean = at(affine, 2 * channels + (index % channels));
  const inverse = at(affine, 3 * channels + (index % channels));
  return [(at(x, index) - mean) * inverse, (Math.abs(at(x, index)) + Math.abs(mean)) * inverse];
}

/** Rows dgamma = sum of dy xhat and dbeta = sum of dy. */
export const batchNormWeightGradientReference: Reference<BatchNormAttributes> = (inputs, attributes) => {
  const [dz, x, affine] = [required(inputs[0], 'dz'), required(inputs[1], 'x'), required(inputs[2], 'affine')];
  const channels = channelsOf(x.shape);
  const gradient = maskedGradient(dz, x, affine, attributes);
  return (_, index) => {
    const sum = new Sum();
    for (let row = 0; row < rowsOf(x.shape); row++) {
      const element = row * channels + (index % channels);
      const [xhat, magnitude] = index < channels ? standardised(x, affine, element) : [1, 1];
      sum.add(gradient(element) * xhat, gradient(element) * magnitude);
    }
    return sum.element();
  };
};

/** dx = into + scale (dy - dbeta / n - xhat dgamma / n); with running statistics: into + scale dy. */
export const batchNormDataGradientReference: Reference<BatchNormAttributes> = (inputs, attributes) => {
  const [dz, x, affine] = [required(inputs[0], 'dz'), required(inputs[1], 'x'), required(inputs[2], 'affine')];
  const dweight = required(inputs[3], 'dweight');
  const into = inputs[4];
  const channels = channelsOf(x.shape);
  const share = attributes.training ? 1 / (attributes.count ?? rowsOf(x.shape)) : 0;
  const gradient = maskedGradient(dz, x, affine, attributes);
  return (_, index) => {
    const channel = index % channels;
    const [dgamma, dbeta] = [at(dweight, channel), at(dweight, channels + channel)];
    const [xhat, magnitude] = standardised(x, affine, index);
    const scale = at(affine, channel);
    const before = into ? at(into, index) : 0;
    const value = before + scale * (gradient(index) - share * dbeta - share * xhat * dgamma);
    const size = Math.abs(gradient(index)) + share * Math.abs(dbeta) + share * magnitude * Math.abs(dgamma);
    return rounded(value, Math.abs(before) + Math.abs(scale) * size, 4);
  };
};

/** Rows slope = into - scale invStd dgamma / count and constant = into - scale dbeta / count. */
export const batchNormCoefficientsReference: Reference<{ count: number }> = (inputs, { count }) => {
  const [dweight, affine] = [required(inputs[0], 'dweight'), required(inputs[1], 'affine')];
  const into = inputs[2];
  const channels = channelsOf(affine.shape);
  return (_, index) => {
    const channel = index % channels;
    const inverse = index < channels ? at(affine, 3 * channels + channel) : 1;
    const added = (-at(affine, channel) * inverse * at(dweight, index)) / count;
    const before = into ? at(into, index) : 0;
    return rounded(before + added, Math.abs(before) + Math.abs(added), 2);
  };
};

/** dx = gradient + slope (x - mean) + constant. */
export const batchNormCorrectionReference: Reference<Record<never, never>> = (inputs) => {
  const [gradient, x] = [required(inputs[0], 'gradient'), required(inputs[1], 'x')];
  const [affine, coefficients] = [required(inputs[2], 'affine'), required(inputs[3], 'coefficients')];
  const channels = channelsOf(x.shape);
  return (_, index) => {
    const channel = index % channels;
    const [slope, constant] = [at(coefficients, channel), at(coefficients, channels + channel)];
    const mean = at(affine, 2 * channels + channel);
    const size = Math.abs(slope) * (Math.abs(at(x, index)) + Math.abs(mean));
    const value = at(gradient, index) + slope * (at(x, index) - mean) + constant;
    return rounded(value, Math.abs(at(gradient, index)) + size + Math.abs(constant), 3);
  };
};
