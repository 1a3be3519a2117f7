import { findModel } from '../models/index.ts';
import { parameterCount, stateSpecs } from '../models/model.ts';
import {
  type BootstrapEvaluation,
  type BootstrapOptions,
  bootstrap,
  bootstrapDifference,
  differenceOf,
  type Interval,
  type LevelIntervals,
} from './bootstrap.ts';
import { type Calibration, calibrate } from './calibration.ts';
import { bestReading, crossFitted, meanOfReadings, type Reading } from './ensembles.ts';
import type { MeasuredRun } from './measured-run.ts';
import { type Evaluation, evaluate, levels } from './metrics.ts';
import { type Published, publishedRegions, publishedScores } from './published.ts';
import type { EpochMetrics } from './run-state.ts';

/** Scores with their intervals. */
export interface Measured extends Evaluation {
  readonly intervals: BootstrapEvaluation;
}

export interface ComparedRun extends Measured {
  readonly run: string;
  readonly model: string;
  readonly image_size: number;
  readonly epochs: number;
  /** Seconds in the training steps of all epochs; null where the run does not tell. */
  readonly train_s: number | null;
  /** Of the network with one output. */
  readonly parameters: number;
  readonly calibration: Calibration;
  /** The paper's figures of this network, at the size and after the training that the paper gave it. */
  readonly published: (Published & { readonly regions: Readonly<Record<string, number>> }) | null;
}

/** Kappa less that of the best single run, on the same patients. */
export interface KappaDifference {
  readonly value: number | null;
  readonly interval: Interval | null;
}

export interface ComparedEnsemble extends Measured {
  readonly ensemble: string;
  /** For each region the runs that were chosen for the first and for the second half of the patients. */
  readonly chosen: Readonly<Record<string, readonly [string, string]>> | null;
  readonly kappa_difference: { readonly images: KappaDifference; readonly studies: KappaDifference };
}

export interface Comparison {
  readonly split: string;
  readonly patients: number;
  /** The run with the highest kappa of studies. */
  readonly best: string;
  readonly runs: readonly ComparedRun[];
  /** None where there is one run only. */
  readonly ensembles: readonly ComparedEnsemble[];
}

/** The set's studies, all of them as one group. */
const ALL = 'all';

function measure(reading: Reading, options: BootstrapOptions): Measured {
  return { ...evaluate(reading), intervals: bootstrap(reading, options) };
}

/** Seconds in the training steps; null where an epoch does not tell its images. */
function trainingTime(history: readonly EpochMetrics[]): number | null {
  let seconds = 0;
  for (const { train_images: images, images_per_s: pace } of history) {
    if (images === undefined) return null;
    seconds += images / pace;
  }
  return history.length === 0 ? null : seconds;
}

function compareRun({ path, config, history, predictions }: MeasuredRun, options: BootstrapOptions): ComparedRun {
  const published = publishedScores(config.model);
  return {
    run: path,
    model: config.model,
    image_size: config.image_size,
    epochs: history.length,
    train_s: trainingTime(history),
    parameters: parameterCount(stateSpecs(findModel(config.model), 1)),
    ...measure(predictions, options),
    calibration: calibrate(predictions),
    published: published ? { ...published, regions: publishedRegions(config.model) } : null,
  };
}

function kappaDifference(reading: Reading, best: Reading, options: BootstrapOptions) {
  const intervals: LevelIntervals = bootstrapDifference(reading, best, options);
  const [own, other] = [levels(reading), levels(best)];
  const at = (level: 'images' | 'studies'): KappaDifference => ({
    value: differenceOf(own[level], other[level]).kappa,
    interval: intervals[level].kappa,
  });
  return { images: at('images'), studies: at('studies') };
}

/**
 * The runs beside the paper, and what they make of the images together. Intervals take what was chosen as it is: they do
 * not choose again in every resample. The best single run is chosen on the studies that it is measured on, which favours
 * it; "best run overall" is the same choice made on the other half.
 */
export function compareRuns(runs: readonly MeasuredRun[], options: BootstrapOptions): Comparison {
  const readings = runs.map(({ predictions }) => predictions);
  const best = bestReading(readings);
  const nameOf = (index: number) => runs[index]?.path ?? '';
  const crossed = (ensemble: string, groupOf: (image: { region: string }) => string) => {
    const { images, chosen } = crossFitted(readings, groupOf);
    const named = Object.entries(chosen).map(
      ([group, [first, second]]) => [group, [nameOf(first), nameOf(second)]] as const,
    );
    return { ensemble, reading: images, chosen: Object.fromEntries(named) };
  };
  const ensembles =
    runs.length < 2
      ? []
      : [
          { ensemble: 'mean of the runs', reading: meanOfReadings(readings), chosen: null },
          crossed('best run by region', ({ region }) => region),
          crossed('best run overall', () => ALL),
        ];
  const [first = []] = readings;
  return {
    split: runs[0]?.split ?? '',
    patients: new Set(first.map(({ patient }) => patient)).size,
    best: nameOf(best),
    runs: runs.map((run) => compareRun(run, options)),
    ensembles: ensembles.map(({ ensemble, reading, chosen }) => ({
      ensemble,
      chosen,
      ...measure(reading, options),
      kappa_difference: kappaDifference(reading, readings[best] ?? [], options),
    })),
  };
}
