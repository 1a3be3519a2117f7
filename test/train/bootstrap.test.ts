import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Intervals, ScoreName } from '../../src/train/bootstrap.ts';
import { bootstrap, bootstrapDifference, bootstrapLevels, quantile } from '../../src/train/bootstrap.ts';
import type { Prediction } from '../../src/train/metrics.ts';

const golden = JSON.parse(readFileSync(new URL('../golden/scores.json', import.meta.url), 'utf8')) as {
  patients: {
    rows: [string, string, 0 | 1, number][];
    image_intervals: Record<ScoreName, [number, number]>;
    study_intervals: Record<ScoreName, [number, number]>;
    other: number[];
    difference_intervals: Record<ScoreName, [number, number]>;
  };
};
const images: Prediction[] = golden.patients.rows.map(([patient, study, label, probability], index) => ({
  region: index < 60 ? 'XR_HAND' : 'XR_WRIST',
  patient,
  study,
  label,
  probability,
}));

/**
 * Both sides draw 10,000 resamples. A 2.5 % quantile of that many normal values has a standard error of 0.027 standard
 * deviations, 0.007 of the interval's width; of two such, 0.01. Four of them are allowed, and twice the step in which
 * the scores of so few studies move.
 */
function expectIntervals(got: Intervals, expected: Record<ScoreName, [number, number]>): void {
  for (const [name, [low, high]] of Object.entries(expected) as [ScoreName, [number, number]][]) {
    const tolerance = 0.04 * (high - low) + 0.002;
    expect(Math.abs((got[name]?.low as number) - low), `${name} low ${got[name]?.low} ${low}`).toBeLessThan(tolerance);
    expect(Math.abs((got[name]?.high as number) - high), `${name} high`).toBeLessThan(tolerance);
    expect(got[name]?.dropped).toBe(0);
  }
}

describe('bootstrap', () => {
  it('agrees with numpy and scikit-learn at both levels', () => {
    const got = bootstrapLevels(images, { seed: 3, resamples: 10_000 });
    expectIntervals(got.images, golden.patients.image_intervals);
    expectIntervals(got.studies, golden.patients.study_intervals);
  });

  it('depends on the seed only', () => {
    const options = { seed: 3, resamples: 200 };
    expect(bootstrap(images, options)).toEqual(bootstrap(images, options));
    expect(bootstrap(images, options)).not.toEqual(bootstrap(images, { ...options, seed: 4 }));
  });

  it('takes a region by its own patients', () => {
    const options = { seed: 3, resamples: 200 };
    const hand = images.filter((image) => image.region === 'XR_HAND');
    expect(bootstrap(images, options).regions).toMatchObject({ XR_HAND: bootstrapLevels(hand, options) });
    expect(Object.keys(bootstrap(images, options).regions)).toEqual(['XR_HAND', 'XR_WRIST']);
  });

  it('is twice as wide where a patient has four images alike', () => {
    const four: Prediction[] = Array.from({ length: 400 }, (_, index) => {
      const patient = `${Math.floor(index / 4)}`;
      return { region: 'A', patient, study: patient, label: 1, probability: Number(patient) < 70 ? 0.9 : 0.1 };
    });
    const width = (set: Prediction[]) => {
      const interval = bootstrapLevels(set, { seed: 1, resamples: 5000 }).images.accuracy;
      return (interval?.high as number) - (interval?.low as number);
    };
    const apart = four.map((image, index) => ({ ...image, patient: `${index}`, study: `${index}` }));
    // By patient the standard deviation is sqrt(0.7 * 0.3 / 100); both widths are multiples of 0.01.
    expect(Math.abs(width(four) - 2 * 1.96 * Math.sqrt(0.0021))).toBeLessThan(0.012);
    expect(width(four) / width(apart)).toBeGreaterThan(1.8);
    expect(width(four) / width(apart)).toBeLessThan(2.2);
  });

  it('drops and counts the resamples where a score is undefined', () => {
    const two: Prediction[] = [
      { region: 'A', patient: 'p', study: 'p', label: 1, probability: 0.9 },
      { region: 'A', patient: 'q', study: 'q', label: 0, probability: 0.1 },
    ];
    const { images: got } = bootstrapLevels(two, { seed: 1, resamples: 1000 });
    expect(got.accuracy).toEqual({ low: 1, high: 1, dropped: 0 });
    expect(got.kappa?.dropped).toBe(got.auc?.dropped);
    // One class is absent in half of the resamples: 500, standard deviation 16.
    expect(Math.abs((got.kappa?.dropped as number) - 500)).toBeLessThan(64);
    expect(bootstrapLevels(two.slice(1), { seed: 1 }).images.accuracy).toBeNull();
  });
});

describe('bootstrapDifference', () => {
  const other = images.map((image, index) => ({ ...image, probability: golden.patients.other[index] as number }));

  it('agrees with numpy and scikit-learn, which drew 4,000 resamples', () => {
    const { images: got } = bootstrapDifference(images, other, { seed: 3, resamples: 10_000 });
    for (const [name, [low, high]] of Object.entries(golden.patients.difference_intervals) as [
      ScoreName,
      [number, number],
    ][]) {
      // As above, with the standard error of 4,000.
      const tolerance = 0.05 * (high - low) + 0.002;
      expect(Math.abs((got[name]?.low as number) - low), `${name} low`).toBeLessThan(tolerance);
      expect(Math.abs((got[name]?.high as number) - high), `${name} high`).toBeLessThan(tolerance);
    }
  });

  it('is narrower than the difference of two that are drawn apart', () => {
    const width = ({ low, high }: { low: number; high: number }) => high - low;
    const paired = bootstrapDifference(images, other, { seed: 3 }).images.auc;
    const [one, two] = [images, other].map((reading) => bootstrapLevels(reading, { seed: 3 }).images.auc);
    if (!paired || !one || !two) throw new Error('an interval is missing');
    expect(width(paired)).toBeLessThan(0.8 * Math.hypot(width(one), width(two)));
  });

  it('is nothing where both read alike', () => {
    const none = bootstrapDifference(images, [...images], { seed: 1, resamples: 100 });
    for (const interval of Object.values(none.studies)) expect(interval).toMatchObject({ low: 0, high: 0 });
  });
});

describe('quantile', () => {
  it('interpolates as numpy does', () => {
    expect(quantile([1, 2, 4], 0.25)).toBe(1.5);
    expect(quantile([1, 2, 4], 0.9)).toBeCloseTo(3.6, 12);
    expect([quantile([1, 2, 4], 0), quantile([1, 2, 4], 1), quantile([7], 0.3)]).toEqual([1, 4, 7]);
  });
});
