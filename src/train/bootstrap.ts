import { fnv1a32, Random } from '../base/random.ts';
import type { Prediction, Scores } from './metrics.ts';
import { byRegion, rankPredictions, score, studyPredictions } from './metrics.ts';

export type ScoreName = Exclude<keyof Scores, 'count'>;

const SCORE_NAMES: readonly ScoreName[] = ['accuracy', 'precision', 'recall', 'f1', 'kappa', 'auc'];

/** A percentile interval of one score. */
export interface Interval {
  readonly low: number;
  readonly high: number;
  /** Resamples in which the score was undefined; the interval is over the others. */
  readonly dropped: number;
}

/** Null where there are fewer than two patients, or no resample has the score. */
export type Intervals = Readonly<Record<ScoreName, Interval | null>>;

export interface LevelIntervals {
  readonly images: Intervals;
  readonly studies: Intervals;
}

export interface BootstrapEvaluation extends LevelIntervals {
  readonly regions: Readonly<Record<string, LevelIntervals>>;
}

export interface BootstrapOptions {
  readonly seed: number;
  readonly resamples?: number;
  /** Coverage, in (0, 1). */
  readonly confidence?: number;
}

/** The quantile of ascending values with linear interpolation between neighbours (numpy's default). */
export function quantile(ascending: ArrayLike<number>, probability: number): number {
  const position = probability * (ascending.length - 1);
  const below = Math.floor(position);
  const low = ascending[below] as number;
  const high = ascending[Math.min(below + 1, ascending.length - 1)] as number;
  return low + (high - low) * (position - below);
}

/** How often each of `count` patients is drawn in each resample; one array, reused, is handed to `visit`. */
function eachResample(random: Random, count: number, resamples: number, visit: (times: Uint32Array) => void): void {
  const times = new Uint32Array(count);
  for (let resample = 0; resample < resamples; resample++) {
    times.fill(0);
    for (let draw = 0; draw < count; draw++) {
      const patient = random.integer(count);
      times[patient] = (times[patient] as number) + 1;
    }
    visit(times);
  }
}

type ScoresOfResample = (times: Uint32Array) => Omit<Scores, 'count'>;

/** The scores of one level in a resample. */
function scorer(cases: readonly Prediction[], patients: ReadonlyMap<string, number>): ScoresOfResample {
  const ranked = rankPredictions(cases);
  const patientOf = Uint32Array.from(cases, (one) => patients.get(one.patient) as number);
  const weights = new Uint32Array(cases.length);
  return (times) => {
    for (let index = 0; index < weights.length; index++) weights[index] = times[patientOf[index] as number] as number;
    return score(ranked, weights);
  };
}

/** Draws the resamples and takes the intervals of the scores that each level has in them. */
function intervalsOf<L extends string>(
  patients: number,
  levelsOf: Readonly<Record<L, ScoresOfResample>>,
  { seed, resamples = 2000, confidence = 0.95 }: BootstrapOptions,
): Record<L, Intervals> {
  const names = Object.keys(levelsOf) as L[];
  const store = () => new Map(SCORE_NAMES.map((name) => [name, { values: new Float64Array(resamples), count: 0 }]));
  const drawn = names.map((level) => ({ level, scores: levelsOf[level], stores: store() }));
  eachResample(new Random(seed, fnv1a32('bootstrap')), patients, resamples, (times) => {
    for (const { scores, stores } of drawn) {
      const found = scores(times);
      for (const [name, kept] of stores) {
        const value = found[name];
        if (value !== null) kept.values[kept.count++] = value;
      }
    }
  });
  const interval = ({ values, count }: { values: Float64Array; count: number }): Interval | null => {
    if (count === 0 || patients < 2) return null;
    const ascending = values.subarray(0, count).sort();
    const tail = (1 - confidence) / 2;
    return { low: quantile(ascending, tail), high: quantile(ascending, 1 - tail), dropped: resamples - count };
  };
  return Object.fromEntries(
    drawn.map(({ level, stores }) => [
      level,
      Object.fromEntries([...stores].map(([name, kept]) => [name, interval(kept)])) as Intervals,
    ]),
  ) as Record<L, Intervals>;
}

const numbered = (images: readonly Prediction[]): Map<string, number> =>
  new Map([...new Set(images.map((image) => image.patient))].map((name, index) => [name, index]));

/**
 * Percentile bootstrap intervals (Efron 1979) of the scores at image and study level. Patients are drawn with
 * replacement, with all their images: images of one patient are not independent.
 */
export function bootstrapLevels(images: readonly Prediction[], options: BootstrapOptions): LevelIntervals {
  const patients = numbered(images);
  const scorers = { images: scorer(images, patients), studies: scorer(studyPredictions(images), patients) };
  return intervalsOf(patients.size, scorers, options);
}

/** A difference of two scores; null where one of them is undefined. */
const minus = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? null : one - other;

/** The scores of `one` less those of `other`. */
export const differenceOf = (one: Omit<Scores, 'count'>, other: Omit<Scores, 'count'>): Omit<Scores, 'count'> =>
  Object.fromEntries(SCORE_NAMES.map((name) => [name, minus(one[name], other[name])])) as Omit<Scores, 'count'>;

/**
 * Paired intervals of the scores of `one` less those of `other`, two readings of the same images: every resample scores
 * both on the patients that it drew.
 */
export function bootstrapDifference(
  one: readonly Prediction[],
  other: readonly Prediction[],
  options: BootstrapOptions,
): LevelIntervals {
  const patients = numbered(one);
  const paired = (first: readonly Prediction[], second: readonly Prediction[]): ScoresOfResample => {
    const [scoresOfFirst, scoresOfSecond] = [scorer(first, patients), scorer(second, patients)];
    return (times) => differenceOf(scoresOfFirst(times), scoresOfSecond(times));
  };
  const levels = { images: paired(one, other), studies: paired(studyPredictions(one), studyPredictions(other)) };
  return intervalsOf(patients.size, levels, options);
}

/** The intervals over all predictions and for each region, there over the region's own patients. */
export function bootstrap(images: readonly Prediction[], options: BootstrapOptions): BootstrapEvaluation {
  const regions = [...byRegion(images)].map(([name, members]) => [name, bootstrapLevels(members, options)] as const);
  return { ...bootstrapLevels(images, options), regions: Object.fromEntries(regions) };
}
