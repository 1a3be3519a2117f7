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

/** Collects the scores of one level over the resamples. */
function collector(cases: readonly Prediction[], patients: ReadonlyMap<string, number>, resamples: number) {
  const ranked = rankPredictions(cases);
  const patientOf = Uint32Array.from(cases, (one) => patients.get(one.patient) as number);
  const weights = new Uint32Array(cases.length);
  const drawn = new Map(SCORE_NAMES.map((name) => [name, { values: new Float64Array(resamples), count: 0 }]));
  return {
    add(times: Uint32Array): void {
      for (let index = 0; index < weights.length; index++) {
        weights[index] = times[patientOf[index] as number] as number;
      }
      const scores = score(ranked, weights);
      for (const [name, store] of drawn) {
        const value = scores[name];
        if (value !== null) store.values[store.count++] = value;
      }
    },
    intervals(confidence: number): Intervals {
      const interval = ({ values, count }: { values: Float64Array; count: number }): Interval | null => {
        if (count === 0 || patients.size < 2) return null;
        const ascending = values.subarray(0, count).sort();
        const tail = (1 - confidence) / 2;
        return { low: quantile(ascending, tail), high: quantile(ascending, 1 - tail), dropped: resamples - count };
      };
      return Object.fromEntries([...drawn].map(([name, store]) => [name, interval(store)])) as Intervals;
    },
  };
}

/**
 * Percentile bootstrap intervals (Efron 1979) of the scores at image and study level. Patients are drawn with
 * replacement, with all their images: images of one patient are not independent.
 */
export function bootstrapLevels(images: readonly Prediction[], options: BootstrapOptions): LevelIntervals {
  const { seed, resamples = 2000, confidence = 0.95 } = options;
  const patients = new Map([...new Set(images.map((image) => image.patient))].map((name, index) => [name, index]));
  const imageLevel = collector(images, patients, resamples);
  const studyLevel = collector(studyPredictions(images), patients, resamples);
  eachResample(new Random(seed, fnv1a32('bootstrap')), patients.size, resamples, (times) => {
    imageLevel.add(times);
    studyLevel.add(times);
  });
  return { images: imageLevel.intervals(confidence), studies: studyLevel.intervals(confidence) };
}

/** The intervals over all predictions and for each region, there over the region's own patients. */
export function bootstrap(images: readonly Prediction[], options: BootstrapOptions): BootstrapEvaluation {
  const regions = [...byRegion(images)].map(([name, members]) => [name, bootstrapLevels(members, options)] as const);
  return { ...bootstrapLevels(images, options), regions: Object.fromEntries(regions) };
}
