import { describe, expect, it, test } from 'vitest';
import { atTemperature, calibrate, fitTemperature, logit, reliability } from '../../src/train/calibration.ts';
import { splitByPatient } from '../../src/train/halves.ts';
import { type Case, expectFacts, type Facts } from '../sklearn/expect-facts.ts';
import { readGolden } from '../support/golden.ts';
import { fabricateImages } from './fabricated-run.ts';

const golden = readGolden<{ cases: (Case & Facts)[] }>('scores.json');

test.each(golden.cases.map((one, index) => ({ index, ...one })))('is scikit-learn on case $index', (one) =>
  expectFacts(one, one),
);

describe('reliability', () => {
  it('puts an edge into the bin below it, and 0 into the first', () => {
    const cases = [0, 0.2, 0.4, 1].map((probability) => ({ label: 1 as const, probability }));
    const { bins, ece } = reliability(cases, 5);
    expect(bins.map(({ count }) => count)).toEqual([2, 1, 0, 0, 1]);
    expect(bins[2]).toMatchObject({ probability: null, abnormal: null });
    expect(ece).toBeCloseTo((1.8 + 0.6 + 0) / 4, 15);
  });

  it('has no error of no cases', () => {
    expect(reliability([])).toMatchObject({ count: 0, ece: null });
  });
});

describe('fitTemperature', () => {
  it('finds the temperature that the cases were drawn at', () => {
    // At each probability p as many abnormal cases as the logit, divided by 2, says: 1,000 cases each.
    const cases = [0.1, 0.3, 0.6, 0.9].flatMap((probability) => {
      const abnormal = Math.round(1000 * atTemperature(probability, 2));
      return Array.from({ length: 1000 }, (_, index) => ({
        label: index < abnormal ? (1 as const) : (0 as const),
        probability,
      }));
    });
    expect(fitTemperature(cases)).toBeCloseTo(2, 2);
  });

  it.each([
    ['a class is absent', [0, 0], [0.2, 0.7]],
    ['the cases are told apart without an error', [0, 1], [0.2, 0.7]],
    ['the cases are worse than chance', [1, 0], [0.2, 0.7]],
    ['there are no cases', [], []],
  ])('is undefined where %s', (_, labels, probabilities) => {
    const cases = labels.map((label, index) => ({
      label: label as 0 | 1,
      probability: probabilities[index] as number,
    }));
    expect(fitTemperature(cases)).toBeNull();
  });

  it('takes probabilities of 0 and 1', () => {
    const cases = [0, 1, 0, 1].map((probability, index) => ({
      label: index < 2 ? (index as 0 | 1) : (1 as const),
      probability,
    }));
    expect(fitTemperature(cases)).toBeGreaterThan(1);
    expect([logit(0), logit(1)].every(Number.isFinite)).toBe(true);
  });
});

describe('calibrate', () => {
  const { predictions } = fabricateImages({ model: 'none', skill: 1.5, seed: 1 });

  it('fits on one half of the patients and measures the other', () => {
    const [fitted, measured] = splitByPatient(predictions);
    const got = calibrate(predictions);
    expect(got.temperature).toBe(fitTemperature(fitted));
    expect([got.fitted_on, got.images.before.count]).toEqual([fitted.length, measured.length]);
    expect(got.images.before).toEqual(reliability(measured));
    expect(got.images.after.ece).not.toBe(got.images.before.ece);
    // What the measured half holds does not move the temperature.
    const flipped = predictions.map((one) =>
      measured.includes(one) ? { ...one, probability: 1 - one.probability } : one,
    );
    expect(calibrate(flipped).temperature).toBe(got.temperature);
  });

  it('changes nothing where no temperature fits', () => {
    const perfect = predictions.map((one) => ({ ...one, probability: one.label }));
    const { temperature, images, studies } = calibrate(perfect);
    expect(temperature).toBeNull();
    expect(images.after).toEqual(images.before);
    expect(studies.after).toEqual(studies.before);
  });
});

describe('splitByPatient', () => {
  const { predictions } = fabricateImages({ model: 'none', skill: 1, seed: 2 });

  it('splits the patients evenly by region and label, the same whatever the order', () => {
    const halves = splitByPatient(predictions);
    const [first, second] = halves.map((half) => new Set(half.map(({ patient }) => patient))) as [
      Set<string>,
      Set<string>,
    ];
    expect([...first].filter((patient) => second.has(patient))).toEqual([]);
    expect(halves.flat()).toHaveLength(predictions.length);
    for (const region of ['XR_ELBOW', 'XR_WRIST']) {
      for (const label of [0, 1]) {
        const [one = 0, other = 0] = halves.map(
          (half) =>
            new Set(
              half.filter((image) => image.region === region && image.label === label).map(({ patient }) => patient),
            ).size,
        );
        expect(Math.abs(one - other)).toBeLessThanOrEqual(1);
      }
    }
    const reversed = splitByPatient([...predictions].reverse());
    expect(new Set(reversed[0].map(({ patient }) => patient))).toEqual(first);
  });
});
