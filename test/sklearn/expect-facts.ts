import { expect } from 'vitest';
import { atTemperature, fitTemperature, reliability } from '../../src/train/calibration.ts';
import { rank, type Scores, score } from '../../src/train/metrics.ts';
import { rocCurve } from '../../src/train/roc.ts';

export interface Case {
  readonly labels: readonly (0 | 1)[];
  readonly probabilities: readonly number[];
}

/** What answer.py says of a case. */
export interface Facts {
  readonly scores: Omit<Scores, 'count'>;
  readonly roc: [number[], number[]] | null;
  readonly reliability: { counts: number[]; abnormal: number[]; probability: number[]; ece: number };
  readonly temperature: { temperature: number; log_loss: number } | null;
}

/** Sums of a few hundred numbers of at most 1, in another order. */
const ROUNDING = 1e-12;

function expectClose(got: readonly (number | null)[], expected: readonly (number | null)[], what: string): void {
  expect(got.length, what).toBe(expected.length);
  for (const [index, value] of expected.entries()) {
    const own = got[index] as number | null;
    if (value === null || own === null) expect(own, `${what} ${index}`).toBe(value);
    else expect(Math.abs(own - value), `${what} ${index}: ${own}, expected ${value}`).toBeLessThan(ROUNDING);
  }
}

/** Expects of our scores, ROC curve and calibration that they are scikit-learn's. */
export function expectFacts({ labels, probabilities }: Case, facts: Facts): void {
  const ranked = rank(labels, probabilities);
  const names = Object.keys(facts.scores) as (keyof Facts['scores'])[];
  const scores = score(ranked);
  expectClose(
    names.map((name) => scores[name]),
    names.map((name) => facts.scores[name]),
    names.join(),
  );
  const curve = rocCurve(ranked);
  const [x, y] = facts.roc ?? [[], []];
  expectClose(
    (curve ?? []).map((point) => point.falsePositiveRate),
    x,
    'false positive rate',
  );
  expectClose(
    (curve ?? []).map((point) => point.truePositiveRate),
    y,
    'true positive rate',
  );
  const cases = labels.map((label, index) => ({ label, probability: probabilities[index] as number }));
  const { ece, bins } = reliability(cases);
  const filled = bins.filter(({ count }) => count > 0);
  expect(filled.map(({ count }) => count)).toEqual(facts.reliability.counts);
  expectClose(
    filled.map(({ abnormal }) => abnormal),
    facts.reliability.abnormal,
    'share abnormal',
  );
  expectClose(
    filled.map(({ probability }) => probability),
    facts.reliability.probability,
    'mean probability',
  );
  expectClose([ece], [facts.reliability.ece], 'ECE');
  const temperature = fitTemperature(cases);
  if (temperature === null || facts.temperature === null) {
    expect(temperature).toBe(facts.temperature);
    return;
  }
  // The loss is flat at its least: scikit-learn stops where its gradient is 1e-12 of nothing, or its steps are.
  expect(Math.abs(temperature / facts.temperature.temperature - 1)).toBeLessThan(1e-5);
  const loss = cases.reduce((sum, { label, probability }) => {
    const scaled = atTemperature(probability, temperature);
    return sum - Math.log(label === 1 ? scaled : 1 - scaled);
  }, 0);
  expect(loss / cases.length).toBeLessThan(facts.temperature.log_loss + ROUNDING);
}
