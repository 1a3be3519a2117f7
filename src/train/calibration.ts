import { splitByPatient } from './halves.ts';
import { type Prediction, studyPredictions } from './metrics.ts';

/** Cases whose probability is above `low`, up to and with `high`; the first bin holds 0 too. */
export interface ReliabilityBin {
  readonly low: number;
  readonly high: number;
  readonly count: number;
  /** Mean of the probabilities, and the share of the cases that are abnormal; null where the bin is empty. */
  readonly probability: number | null;
  readonly abnormal: number | null;
}

export interface Reliability {
  readonly count: number;
  /**
   * Expected calibration error: the mean distance between probability and share of abnormal cases over the bins, each
   * counted by its cases; null where there are none.
   */
  readonly ece: number | null;
  readonly bins: readonly ReliabilityBin[];
}

export interface BeforeAfter {
  readonly before: Reliability;
  readonly after: Reliability;
}

/** How far probabilities can be taken at their word, without and with a temperature that other patients gave. */
export interface Calibration {
  /**
   * What logits are divided by to be calibrated; null where it is undefined: a class is absent from the half it is fitted
   * on, or no temperature from 0.01 to 100 is best.
   */
  readonly temperature: number | null;
  /** Images of one half of the patients, on which the temperature is fitted. */
  readonly fitted_on: number;
  /** The other half. */
  readonly images: BeforeAfter;
  readonly studies: BeforeAfter;
}

const BINS = 15;

/** Bins of equal width over the probability of being abnormal (Naeini et al. 2015, Guo et al. 2017, section 2). */
export function reliability(cases: readonly Pick<Prediction, 'label' | 'probability'>[], bins = BINS): Reliability {
  const edges = Array.from({ length: bins + 1 }, (_, index) => (index === bins ? 1 : index * (1 / bins)));
  const sums = Array.from({ length: bins }, () => ({ count: 0, probability: 0, abnormal: 0 }));
  for (const { label, probability } of cases) {
    let bin = 0;
    while (bin < bins - 1 && probability > (edges[bin + 1] as number)) bin++;
    const sum = sums[bin] as (typeof sums)[number];
    sum.count++;
    sum.probability += probability;
    sum.abnormal += label;
  }
  const distance = sums.reduce((total, { probability, abnormal }) => total + Math.abs(probability - abnormal), 0);
  const mean = (sum: number, count: number) => (count === 0 ? null : sum / count);
  return {
    count: cases.length,
    ece: mean(distance, cases.length),
    bins: sums.map(({ count, probability, abnormal }, index) => ({
      low: edges[index] as number,
      high: edges[index + 1] as number,
      count,
      probability: mean(probability, count),
      abnormal: mean(abnormal, count),
    })),
  };
}

/** Probabilities of 0 and 1 have no finite logit, and more certainty than this is none. */
const LEAST = 5e-7;

export function logit(probability: number): number {
  const bounded = Math.min(Math.max(probability, LEAST), 1 - LEAST);
  return Math.log(bounded / (1 - bounded));
}

/** The probability whose logit is that of `probability` divided by `temperature`. */
export const atTemperature = (probability: number, temperature: number): number =>
  1 / (1 + Math.exp(-logit(probability) / temperature));

const COLDEST = 0.01;
const HOTTEST = 100;

/**
 * The temperature that makes the mean log loss of the cases least (Guo et al. 2017, section 4.2): where the derivative
 * by its inverse, which rises, is zero. Null where a class is absent or the least lies outside 0.01 to 100.
 */
export function fitTemperature(cases: readonly Pick<Prediction, 'label' | 'probability'>[]): number | null {
  const abnormal = cases.filter(({ label }) => label === 1).length;
  if (abnormal === 0 || abnormal === cases.length) return null;
  const logits = cases.map(({ probability }) => logit(probability));
  const slope = (inverse: number) =>
    logits.reduce((sum, z, index) => sum + z * (1 / (1 + Math.exp(-z * inverse)) - (cases[index]?.label ?? 0)), 0);
  let [low, high] = [1 / HOTTEST, 1 / COLDEST];
  if (slope(low) >= 0 || slope(high) <= 0) return null;
  // Doubles are halved 53 times at most; the rest is for the range.
  for (let step = 0; step < 64; step++) {
    const middle = (low + high) / 2;
    if (slope(middle) < 0) low = middle;
    else high = middle;
  }
  return 2 / (low + high);
}

/**
 * Fits the temperature on the images of one half of the patients and measures the other half, images and studies, without
 * and with it. A study's probability is the mean of its images', whose logits are divided.
 */
export function calibrate(images: readonly Prediction[]): Calibration {
  const [fitted, measured] = splitByPatient(images);
  const temperature = fitTemperature(fitted);
  const scaled = measured.map((image) => ({
    ...image,
    probability: atTemperature(image.probability, temperature ?? 1),
  }));
  const compared = (before: readonly Prediction[], after: readonly Prediction[]) => ({
    before: reliability(before),
    after: reliability(temperature === null ? before : after),
  });
  return {
    temperature,
    fitted_on: fitted.length,
    images: compared(measured, scaled),
    studies: compared(studyPredictions(measured), studyPredictions(scaled)),
  };
}
