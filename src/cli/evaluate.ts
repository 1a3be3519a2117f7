import { setTimeout as turn } from 'node:timers/promises';
import { OutOfMemoryError } from '../base/errors.ts';
import { readSplit } from '../data/mura.ts';
import { nodeFiles } from '../io/node.ts';
import { Inference, type InferenceOptions } from '../models/inference.ts';
import type { Model } from '../models/model.ts';
import { bootstrap } from '../train/bootstrap.ts';
import { evaluate } from '../train/metrics.ts';
import { channelsOfSplits, predictSplit } from '../train/predict-split.ts';
import { choicesFor, tellMisfits } from './choices.ts';
import type { Context, Output } from './command.ts';
import { createModel, loadRun } from './loaded-run.ts';
import type { Options } from './options.ts';
import { scoreTable } from './score-table.ts';
import { loadImages, openDevice } from './session.ts';

/** Images that are read at once, as while training. */
const LARGEST = 16;
/** Those where these do not fit the adapter. */
const BATCHES = [8, 4, 2, 1];

async function createInference(
  model: Model,
  images: number,
  options: Omit<InferenceOptions, 'batchSize'>,
): Promise<Inference> {
  const smaller = BATCHES.filter((size) => size < images);
  let batchSize = Math.min(images, LARGEST);
  for (;;) {
    try {
      return await Inference.create(model, { ...options, batchSize });
    } catch (error) {
      const next = smaller.shift();
      if (!(error instanceof OutOfMemoryError) || !next) throw error;
      batchSize = next;
    }
  }
}

/** Measures a run by the paper's metrics on a split, with 95 % intervals by patient; writes predictions.csv. */
export async function run(options: Options<'evaluate'>, context: Context): Promise<Output> {
  const signal = context.interruption();
  const loaded = await loadRun(options.run, options);
  const { split, problems } = await readSplit(nodeFiles, options.data, options.split);
  const { device, adapter } = await openDevice(options.adapter, context);
  for (const problem of problems) context.note(problem);
  const packed = await loadImages(options.data, split, loaded.imageSize, context, signal);
  const model = createModel(device, loaded, context);
  const inference = await createInference(model, packed.split.images.length, {
    imageSize: loaded.imageSize,
    channels: channelsOfSplits(packed),
    choices: await choicesFor(loaded.folder, adapter, context),
  });
  tellMisfits([inference.program.plan], context);
  const progress = context.progress('evaluating', 'images');
  const { predictions } = await predictSplit(inference, packed, progress.update, signal).finally(progress.end);
  device.destroy();
  const scores = evaluate(predictions);
  const intervals = bootstrap(predictions, { seed: 0 });
  // The bootstrap lets no signal through.
  await turn();
  signal.throwIfAborted();
  const lines: string[] = [];
  if (loaded.folder) {
    const rows = packed.split.images.map(
      (image, index) => `${image.path},${image.label},${predictions[index]?.probability.toFixed(6)},${options.split}\n`,
    );
    await nodeFiles.writeAtomic(loaded.folder.file('predictions'), `image,label,probability,split\n${rows.join('')}`);
    lines.push(`predictions of every image: ${loaded.folder.file('predictions')}`);
  }
  const title = `${loaded.definition.title}, ${loaded.imageSize} px, ${options.split} split of ${options.data}, 95 % intervals by patient`;
  return { json: { ...scores, intervals }, text: [title, scoreTable(scores, intervals), ...lines].join('\n') };
}
