import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { UserError } from '../base/errors.ts';
import { nodeFiles } from '../io/node.ts';
import { writePhantom } from '../io/node-phantom.ts';
import { findModel } from '../models/index.ts';
import { checkImageSize, Inference } from '../models/inference.ts';
import { Model } from '../models/model.ts';
import type { PackedSplit } from '../data/packed.ts';
import { type LoopOptions, startOfRun, trainLoop } from '../train/loop.ts';
import { channelsOfSplits } from '../train/predict-split.ts';
import { type RunConfig, RunFolder } from '../train/run-folder.ts';
import { type EpochMetrics, type RunProgress, unpackState } from '../train/run-state.ts';
import { AdamState, TrainingStep } from '../train/step.ts';
import { readWeights } from '../weights/state-dict.ts';
import type { Context, Output } from './command.ts';
import type { Options } from './options.ts';
import { loadSplit, openDevice } from './session.ts';

const PHANTOM = { directory: 'data/phantom', studies: 1000, seed: 0, size: 320 };
/** The smallest of the paper's mini-batches. */
const AUTO_BATCH = 16;
const EVALUATION_BATCH = 16;

type TrainOptions = Options<'train'>;
type Settings = Omit<RunConfig, 'adapter' | 'driver' | 'data_fingerprint'>;

async function version(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function settingsOf(options: TrainOptions): Promise<Settings> {
  return {
    version: await version(),
    command: 'train',
    model: options.model,
    image_size: options.imageSize,
    batch_size: options.batchSize === 'auto' ? AUTO_BATCH : options.batchSize,
    learning_rate: options.lr,
    seed: options.seed,
    max_rotation: options.augment ? options.maxRotation : null,
    plateau_patience: options.plateauPatience,
    best: options.best,
    pretrained: options.pretrained ?? null,
    limit: options.limit ?? null,
    data: options.data ?? PHANTOM.directory,
  };
}

/** The folder that was asked for, or the first free runs/MODEL-N. */
async function outputFolder(options: TrainOptions): Promise<string> {
  if (options.out) return options.out;
  const taken = new Set(await readdir('runs').catch(() => []));
  for (let number = 1; ; number++) {
    const name = `${options.model}-${number}`;
    if (!taken.has(name)) return `runs/${name}`;
  }
}

/** A hash of what is in a data set: paths and labels of both splits, as far as they are used. */
function fingerprint(...splits: PackedSplit[]): string {
  const hash = createHash('sha256');
  for (const { split } of splits) for (const { path, label } of split.images) hash.update(`${path},${label}\n`);
  return hash.digest('hex').slice(0, 16);
}

async function makePhantom(context: Context): Promise<void> {
  if (await nodeFiles.exists(PHANTOM.directory)) return;
  context.note(`no --data: making a phantom set of ${PHANTOM.studies} studies under ${PHANTOM.directory}`);
  const progress = context.progress('drawing', 'images');
  try {
    const { directory, ...options } = PHANTOM;
    await writePhantom(directory, { ...options, onProgress: progress.update });
  } finally {
    progress.end();
  }
}

/** Shows what the loop does on stderr, an epoch a line. */
function reporter(context: Context, epochs: number) {
  let progress = context.progress('', 'images');
  let shown = '';
  const show = (label: string, done: number, total: number) => {
    if (label !== shown) {
      progress.end();
      progress = context.progress(label, 'images');
      shown = label;
    }
    progress.update(done, total);
  };
  return {
    show,
    epoch(metrics: EpochMetrics, improved: boolean) {
      progress.end();
      shown = '';
      const { images, studies } = metrics;
      const number = (value: number | null) => (value === null ? '-' : value.toFixed(3));
      context.note(
        `epoch ${metrics.epoch}/${epochs}: train loss ${metrics.train_loss.toFixed(4)}, valid loss ` +
          `${metrics.valid_loss.toFixed(4)}, images AUC ${number(images.auc)}, studies kappa ${number(studies.kappa)}, ` +
          `${metrics.images_per_s.toFixed(1)} images/s${improved ? ', best so far' : ''}`,
      );
    },
    end: () => progress.end(),
  };
}

/** Trains a network by the paper's recipe; see `murad train --help`. */
export async function run(options: TrainOptions, context: Context): Promise<Output> {
  const signal = context.interruption();
  const path = options.resume ?? (await outputFolder(options));
  const folder = new RunFolder(nodeFiles, path);
  const settings: Settings = options.resume ? await folder.readConfig() : await settingsOf(options);
  const definition = findModel(settings.model);
  checkImageSize(definition, settings.image_size);
  if (!options.resume) await folder.refuseExisting();
  const pretrained = settings.pretrained && !options.resume ? await nodeFiles.readBytes(settings.pretrained) : undefined;
  if (settings.data === PHANTOM.directory && !options.data) await makePhantom(context);
  const { device, adapter } = await openDevice(options.adapter, context);

  const model = new Model(device, definition, { seed: settings.seed });
  if (pretrained && settings.pretrained) {
    const matched = model.load(settings.pretrained, readWeights(settings.pretrained, pretrained));
    for (const note of matched.notes) context.note(note);
  }
  const load = (name: 'train' | 'valid') =>
    loadSplit(settings.data, name, settings.image_size, context, settings.limit ?? undefined);
  const train = await load('train');
  const valid = await load('valid');
  for (const problem of [...train.problems, ...valid.problems]) context.note(problem);
  if (train.packed.split.images.length === 0) throw new UserError(`${settings.data} has no training images`);

  const channels = channelsOfSplits(train.packed, valid.packed);
  const imageSize = settings.image_size;
  const batchSize = Math.min(settings.batch_size, train.packed.split.images.length);
  const evaluationBatch = Math.max(1, Math.min(EVALUATION_BATCH, valid.packed.split.images.length));
  const adam = new AdamState(model);
  const step = await TrainingStep.create(model, adam, { batchSize, imageSize, channels });
  const inference = await Inference.create(model, { batchSize: evaluationBatch, imageSize, channels });

  const config = { ...settings, data_fingerprint: fingerprint(train.packed, valid.packed) };
  const start = options.resume
    ? await resume(folder, config, model, adam)
    : startOfRun(settings.learning_rate);
  if (!options.resume) await folder.create({ ...config, adapter: adapter.name, driver: adapter.driver });

  const report = reporter(context, options.epochs);
  const images = Math.floor(train.packed.split.images.length / batchSize) * batchSize;
  const loop: LoopOptions = {
    epochs: options.epochs,
    learningRate: settings.learning_rate,
    seed: settings.seed,
    maxRotation: settings.max_rotation ?? undefined,
    plateauPatience: settings.plateau_patience,
    best: settings.best,
    maxSteps: options.maxSteps,
  };
  const now = () => performance.now() / 1000;
  try {
    const parts = { model, step, inference, train: train.packed, valid: valid.packed, signal, now };
    const progress = await trainLoop(parts, loop, start, {
      onStep: (at) => report.show(`epoch ${at.epoch}/${options.epochs}, loss`, at.images, images),
      onValidation: (done, total) => report.show('validating', done, total),
      save: async (at, improved) => {
        await folder.save(model, adam, at, improved);
        const last = at.history.at(-1);
        if (last && at.batch === 0) report.epoch(last, improved);
        if (signal.aborted) context.note(`saved; go on with: murad train --resume ${folder.path} --epochs ${options.epochs}`);
      },
    });
    device.destroy();
    return summary(folder, progress);
  } finally {
    report.end();
  }
}

async function resume(
  folder: RunFolder,
  config: { data_fingerprint: string; learning_rate: number },
  model: Model,
  adam: AdamState,
): Promise<RunProgress> {
  const before = await folder.readConfig();
  if (before.data_fingerprint !== config.data_fingerprint) {
    throw new UserError(
      `${folder.path} was trained on other images than ${before.data} holds now: give the data set it began with`,
    );
  }
  const bytes = await folder.readState();
  return bytes ? unpackState(folder.file('state'), bytes, model, adam) : startOfRun(config.learning_rate);
}

function summary(folder: RunFolder, progress: RunProgress): Output {
  const best = progress.history.find(({ epoch }) => epoch === progress.best?.epoch);
  const json = { run: folder.path, epochs: progress.epoch, best: best ?? null };
  const score = best
    ? `best epoch ${best.epoch}: valid loss ${best.valid_loss.toFixed(4)}, images AUC ${best.images.auc?.toFixed(3) ?? '-'}, ` +
      `studies kappa ${best.studies.kappa?.toFixed(3) ?? '-'}`
    : 'no epoch is complete';
  return { json, text: `${score}\nrun folder: ${folder.path}` };
}
