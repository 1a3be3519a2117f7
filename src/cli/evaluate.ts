import { setTimeout as turn } from 'node:timers/promises';
import { readSplit } from '../data/mura.ts';
import type { PackedSplit } from '../data/packed.ts';
import type { Choices } from '../graph/choices.ts';
import { nodeFiles } from '../io/node.ts';
import { Inference } from '../models/inference.ts';
import type { Model } from '../models/model.ts';
import { runReport } from '../report/run-report.ts';
import { type BootstrapEvaluation, bootstrap } from '../train/bootstrap.ts';
import { type Calibration, calibrate } from '../train/calibration.ts';
import { readHistory } from '../train/measured-run.ts';
import { type Evaluation, evaluate, type Prediction } from '../train/metrics.ts';
import { channelsOfSplits, predictSplit } from '../train/predict-split.ts';
import { formatPredictions, type PredictionsFile } from '../train/predictions-file.ts';
import { publishedRegions } from '../train/published.ts';
import type { RunFolder } from '../train/run-folder.ts';
import { fixed } from '../train/score-text.ts';
import { firstThatFits } from '../train/step-size.ts';
import { choicesFor, tellMisfits } from './choices.ts';
import type { Context, Output } from './command.ts';
import { createModel, type LoadedRun, loadRun } from './loaded-run.ts';
import { drawMistakes } from './mistakes.ts';
import type { Options } from './options.ts';
import { reportDocument } from './report-document.ts';
import { scoreTable } from './score-table.ts';
import { loadImages, openDevice } from './session.ts';
import { EVALUATION_BATCH } from './train-plans.ts';

/** Images that are read at once where those of training do not fit the adapter. */
const SMALLER = [8, 4, 2, 1];

/** What was measured of a run. */
interface Findings extends PredictionsFile {
  readonly title: string;
  readonly evaluation: Evaluation;
  readonly intervals: BootstrapEvaluation;
  readonly calibration: Calibration;
}

/** What the model says of a split, as many images at once as fit. */
async function predictAll(
  model: Model,
  packed: PackedSplit,
  { imageSize, choices }: { imageSize: number; choices: Choices },
  context: Context,
  signal: AbortSignal,
): Promise<Prediction[]> {
  const images = packed.split.images.length;
  const sizes = [Math.min(images, EVALUATION_BATCH), ...SMALLER.filter((size) => size < images)];
  const common = { imageSize, channels: channelsOfSplits(packed), choices };
  const inference = await firstThatFits(sizes, (batchSize) => Inference.create(model, { ...common, batchSize }));
  tellMisfits([inference.program.plan], context);
  const progress = context.progress('evaluating', 'images');
  const { predictions } = await predictSplit(inference, packed, progress.update, signal).finally(progress.end);
  await inference.destroy();
  return predictions;
}

const calibrationLine = ({ temperature, images, studies }: Calibration): string =>
  `calibration on the half of the patients that the temperature (${fixed(temperature)}) is not fitted on, expected error ` +
  `without -> with it: images ${fixed(images.before.ece)} -> ${fixed(images.after.ece)}, ` +
  `studies ${fixed(studies.before.ece)} -> ${fixed(studies.after.ece)}`;

/** Writes predictions.csv and report.html; gives a line on each. */
async function writeFindings(
  folder: RunFolder,
  findings: Findings,
  { definition, weights, imageSize }: LoadedRun,
  parts: { model: Model; choices: Choices; data: string; signal: AbortSignal },
): Promise<string[]> {
  const config = await folder.readConfig();
  if (config.model !== definition.name || config.image_size !== imageSize) {
    return [`${folder.file('predictions')} is left as it is: the run is ${config.model} at ${config.image_size} px`];
  }
  await nodeFiles.writeAtomic(folder.file('predictions'), formatPredictions(findings));
  const { model, choices, data, signal } = parts;
  const mistakes = await drawMistakes(model, { imageSize, choices }, data, findings, signal);
  const report = {
    ...findings,
    history: await readHistory(nodeFiles, folder),
    published: publishedRegions(definition.name),
    mistakes,
    mapNote: definition.headAveragesMaps === false ? 'Grad-CAM, from the gradient' : 'the class activation map',
    facts: [
      ['run', folder.path],
      ['weights', weights.file],
      ['measured on', `${findings.split} split of ${data}: ${findings.evaluation.images.count} images`],
      ['trained on', config.data],
      ['adapter of the training', `${config.adapter}, ${config.driver}`],
    ] as const,
  };
  await nodeFiles.writeAtomic(folder.file('report'), runReport(report, reportDocument()));
  return [`predictions of every image: ${folder.file('predictions')}`, `report: ${folder.file('report')}`];
}

/** Measures a run by the paper's metrics on a split, with 95 % intervals by patient; writes predictions.csv and report.html. */
export async function run(options: Options<'evaluate'>, context: Context): Promise<Output> {
  const signal = context.interruption();
  const loaded = await loadRun(options.run, options);
  const { definition, imageSize, folder } = loaded;
  const { split, problems } = await readSplit(nodeFiles, options.data, options.split);
  const { device, adapter } = await openDevice(options.adapter, context, loaded.precision);
  for (const problem of problems) context.note(problem);
  const packed = await loadImages(options.data, split, { imageSize, cache: options.cache }, context, signal);
  const model = createModel(device, loaded, context);
  const choices = await choicesFor(folder, adapter, context);
  const predictions = await predictAll(model, packed, { imageSize, choices }, context, signal);
  await packed.pixels.close();
  const findings: Findings = {
    title: `${definition.title}, ${imageSize} px, ${options.split} split of ${options.data}`,
    split: options.split,
    images: packed.split.images.map(({ path }) => path),
    predictions,
    evaluation: evaluate(predictions),
    intervals: bootstrap(predictions, { seed: 0 }),
    calibration: calibrate(predictions),
  };
  // The bootstrap lets no signal through.
  await turn();
  signal.throwIfAborted();
  const parts = { model, choices, data: options.data, signal };
  const lines = folder ? await writeFindings(folder, findings, loaded, parts) : [];
  device.destroy();
  const { title, evaluation, intervals, calibration } = findings;
  return {
    json: { ...evaluation, intervals, calibration },
    text: [
      `${title}, 95 % intervals by patient`,
      scoreTable(evaluation, intervals),
      calibrationLine(calibration),
      ...lines,
    ].join('\n'),
  };
}
