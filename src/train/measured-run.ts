import { UserError } from '../base/errors.ts';
import type { FileSystem } from '../base/files.ts';
import { parseObject } from '../base/json.ts';
import type { Prediction } from './metrics.ts';
import { parsePredictions } from './predictions-file.ts';
import { type RunConfig, RunFolder } from './run-folder.ts';
import type { EpochMetrics } from './run-state.ts';

/** A run folder as far as it tells how the run went and what the network says of a split. */
export interface MeasuredRun {
  readonly path: string;
  readonly config: RunConfig;
  readonly history: readonly EpochMetrics[];
  readonly split: string;
  /** Paths relative to the data set's folder, one a prediction. */
  readonly images: readonly string[];
  readonly predictions: readonly Prediction[];
}

/** The epochs of a metrics.jsonl; none where there is no such file. */
export async function readHistory(files: FileSystem, folder: RunFolder): Promise<EpochMetrics[]> {
  const file = folder.file('metrics');
  if (!(await files.exists(file))) return [];
  const lines = (await files.readText(file)).split('\n').filter((line) => line.trim() !== '');
  return lines.map((line, index) => {
    const epoch = parseObject(line);
    if (typeof epoch?.epoch !== 'number' || typeof epoch.valid_loss !== 'number') {
      throw new UserError(`${file}, line ${index + 1}: expected a JSON object with "epoch" and "valid_loss"`);
    }
    return epoch as unknown as EpochMetrics;
  });
}

/** Reads a run that `murad evaluate` has measured; throws a UserError that says so where it has not. */
async function readMeasuredRun(files: FileSystem, path: string): Promise<MeasuredRun> {
  const folder = new RunFolder(files, path);
  const config = await folder.readConfig();
  const file = folder.file('predictions');
  if (!(await files.exists(file))) {
    throw new UserError(
      `${folder.path} is not measured yet: run murad evaluate ${folder.path} --data ${config.data ?? 'DIR'} first`,
    );
  }
  const { split, images, predictions } = parsePredictions(file, await files.readText(file));
  return { path: folder.path, config, history: await readHistory(files, folder), split, images, predictions };
}

/**
 * Reads runs that were measured on the same images, which come in the first run's order; throws a UserError where they
 * were not, or where a run is named twice.
 */
export async function readMeasuredRuns(files: FileSystem, paths: readonly string[]): Promise<MeasuredRun[]> {
  const runs: MeasuredRun[] = [];
  for (const path of paths) runs.push(await readMeasuredRun(files, path));
  const twice = runs.find(({ path }, index) => runs.findIndex((run) => run.path === path) < index);
  if (twice) throw new UserError(`${twice.path} is named twice: name each run once`);
  return runs.map((run) => inOrderOf(runs[0] as MeasuredRun, run));
}

function inOrderOf(first: MeasuredRun, run: MeasuredRun): MeasuredRun {
  const again = `measure both with murad evaluate RUN --data DIR, of the same set and --split`;
  const byImage = new Map(run.images.map((image, index) => [image, run.predictions[index] as Prediction]));
  const common = first.images.filter((image) => byImage.has(image));
  if (common.length < first.images.length || run.images.length !== first.images.length || run.split !== first.split) {
    throw new UserError(
      `${run.path} was measured on other images than ${first.path} (${run.images.length} of the ${run.split} split ` +
        `and ${first.images.length} of the ${first.split} split, ${common.length} in common): ${again}`,
    );
  }
  const predictions = first.images.map((image) => byImage.get(image) as Prediction);
  const differs = predictions.findIndex(({ label }, index) => label !== first.predictions[index]?.label);
  if (differs >= 0) {
    throw new UserError(`${run.path} has another label of ${first.images[differs]} than ${first.path}: ${again}`);
  }
  return { ...run, images: first.images, predictions };
}
