import { setTimeout as turn } from 'node:timers/promises';
import { readSplit } from '../data/mura.ts';
import { nodeFiles } from '../io/node.ts';
import { Inference } from '../models/inference.ts';
import { bootstrap } from '../train/bootstrap.ts';
import { evaluate } from '../train/metrics.ts';
import { channelsOfSplits, predictSplit } from '../train/predict-split.ts';
import { firstThatFits } from '../train/step-size.ts';
import { choicesFor, tellMisfits } from './choices.ts';
import type { Context, Output } from './command.ts';
import { createModel, loadRun } from './loaded-run.ts';
import type { Options } from './options.ts';
import { scoreTable } from './score-table.ts';
import { loadImages, openDevice } from './session.ts';
import { EVALUATION_BATCH } from './train-plans.ts';

/** Images that are read at once where those of training do not fit the adapter. */
const SMALLER = [8, 4, 2, 1];

/** Measures a run by the paper's metrics on a split, with 95 % intervals by patient; writes predictions.csv. */
export async function run(options: Options<'evaluate'>, context: Context): Promise<Output> {
  const signal = context.interruption();
  const loaded = await loadRun(options.run, options);
  const { split, problems } = await readSplit(nodeFiles, options.data, options.split);
  const { device, adapter } = await openDevice(options.adapter, context);
  for (const problem of problems) context.note(problem);
  const { imageSize } = loaded;
  const packed = await loadImages(options.data, split, { imageSize, cache: options.cache }, context, signal);
  const model = createModel(device, loaded, context);
  const choices = await choicesFor(loaded.folder, adapter, context);
  const images = packed.split.images.length;
  const sizes = [Math.min(images, EVALUATION_BATCH), ...SMALLER.filter((size) => size < images)];
  const common = { imageSize, channels: channelsOfSplits(packed), choices };
  const inference = await firstThatFits(sizes, (batchSize) => Inference.create(model, { ...common, batchSize }));
  tellMisfits([inference.program.plan], context);
  const progress = context.progress('evaluating', 'images');
  const { predictions } = await predictSplit(inference, packed, progress.update, signal).finally(progress.end);
  await packed.pixels.close();
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
  const title = `${loaded.definition.title}, ${imageSize} px, ${options.split} split of ${options.data}, 95 % intervals by patient`;
  return { json: { ...scores, intervals }, text: [title, scoreTable(scores, intervals), ...lines].join('\n') };
}
