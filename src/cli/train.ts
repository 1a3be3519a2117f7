import { UserError } from '../base/errors.ts';
import type { MuraIndex } from '../data/mura.ts';
import type { PackedSplit } from '../data/packed.ts';
import { nodeFiles } from '../io/node.ts';
import type { ModelDefinition } from '../models/definition.ts';
import { findModel } from '../models/index.ts';
import { checkImageSize } from '../models/inference.ts';
import { Model } from '../models/model.ts';
import type { ChoicesFile } from '../train/choices-file.ts';
import { startOfRun, trainLoop } from '../train/loop.ts';
import { RunFolder } from '../train/run-folder.ts';
import { type RunProgress, unpackState } from '../train/run-state.ts';
import { AdamState, type TrainingStep } from '../train/step.ts';
import { choicesFor, choicesInForce, tellMisfits } from './choices.ts';
import type { Context, Output } from './command.ts';
import { readWeightsFile, type WeightsFile } from './loaded-run.ts';
import { freeRunPath, makeOutputFolder } from './output-folder.ts';
import { drawPhantom } from './phantom.ts';
import { loadImages, type Opened, openDevice, readIndex } from './session.ts';
import { createPlans, plansOf } from './train-plans.ts';
import { resumeCommand, summary, TrainReport, whereItGoesOn } from './train-report.ts';
import {
  checkSameImages,
  fingerprint,
  newSettings,
  PHANTOM_FOLDER,
  resumedSettings,
  type Settings,
  type TrainOptions,
} from './train-settings.ts';
import { tuneRun } from './tuning.ts';
import { asUsage } from './usage.ts';
import { pretrainedFile } from './weights-fetch.ts';

const PHANTOM = { studies: 1000, seed: 0, size: 320 };

/** A run whose options are checked and whose folder can be written to. */
interface Run {
  readonly folder: RunFolder;
  readonly settings: Settings;
  readonly definition: ModelDefinition;
  readonly opened: Opened;
  /** The kernels that the run goes on with, or that were tuned for its adapter before. */
  readonly choices: ChoicesFile;
  readonly index: MuraIndex;
  /** Bytes of the state that a resume goes on from; undefined before the first is saved. */
  readonly state: Uint8Array | undefined;
  readonly pretrained: WeightsFile | undefined;
  readonly options: TrainOptions;
  readonly context: Context;
  readonly signal: AbortSignal;
}

/** Trains a network by the paper's recipe; see `murad train --help`. */
export async function run(options: TrainOptions, context: Context): Promise<Output> {
  const signal = context.interruption();
  const folder = new RunFolder(nodeFiles, options.resume ?? options.out ?? (await freeRunPath(options.model)));
  const settings = options.resume
    ? resumedSettings(folder, await folder.readConfig(), options, context)
    : newSettings(options);
  const check = () => {
    const found = findModel(settings.model);
    checkImageSize(found, settings.image_size, { training: true });
    return found;
  };
  const definition = options.resume ? check() : asUsage(check);
  if (!options.resume) await folder.refuseExisting();
  const state = options.resume ? await folder.readState() : undefined;
  const pretrained =
    settings.pretrained && !state ? await readWeightsFile(await pretrainedFile(settings.pretrained)) : undefined;
  const output = await makeOutputFolder(folder.path);
  try {
    const opened = await openDevice(options.adapter, context);
    const choices = await choicesFor(options.resume ? folder : undefined, opened.adapter, context);
    if (settings.data === PHANTOM_FOLDER && !options.data) await makePhantom(context);
    const index = await readIndex(settings.data, settings.limit);
    const made = { folder, settings, definition, opened, choices, index };
    return await train({ ...made, state, pretrained, options, context, signal });
  } catch (error) {
    await output.discard();
    if (error !== signal.reason || !(error instanceof UserError)) throw error;
    const saved = (await folder.readState())
      ? `the run is saved; go on with ${resumeCommand(folder.path)}`
      : 'nothing is saved yet';
    throw new UserError(`${error.message}: ${saved}`);
  }
}

async function makePhantom(context: Context): Promise<void> {
  if (await nodeFiles.exists(PHANTOM_FOLDER)) return;
  context.note(`no --data: making a phantom set of ${PHANTOM.studies} studies under ${PHANTOM_FOLDER}`);
  await drawPhantom(PHANTOM_FOLDER, PHANTOM, context);
}

async function train(run: Run): Promise<Output> {
  const { folder, settings, definition, index, options, context, signal } = run;
  const { device } = run.opened;
  for (const problem of index.problems) context.note(problem);
  const model = new Model(device, definition, { seed: settings.seed, initialise: !run.pretrained && !run.state });
  if (run.pretrained) {
    const { file, tensors, normalisation } = run.pretrained;
    for (const note of model.load(file, tensors, normalisation).notes) context.note(note);
  } else if (settings.normalisation) {
    model.normalisation = settings.normalisation;
  }
  const read = (name: 'train' | 'valid') =>
    loadImages(settings.data, index[name], { imageSize: settings.image_size, cache: options.cache }, context, signal);
  const images = { train: await read('train'), valid: await read('valid') };
  const adam = new AdamState(model);
  const plan = (choices: ChoicesFile, note = context.note) =>
    createPlans(model, adam, images, { ...settings, choices }, note);
  const choices = options.tune ? await tuneRun(run, (given) => plan(given, () => {})) : run.choices;
  const plans = await plan(choices);
  tellMisfits(plansOf(plans), context);
  const start = await begin(run, model, plans.step, images, choicesInForce(choices, plansOf(plans)));
  const report = new TrainReport(context, settings.epochs);
  const loop = {
    epochs: settings.epochs,
    seed: settings.seed,
    maxRotation: settings.max_rotation ?? undefined,
    plateauPatience: settings.plateau_patience,
    best: settings.best,
    maxSteps: options.maxSteps,
  };
  try {
    const parts = { model, ...plans, ...images, signal, now: () => performance.now() / 1000 };
    const progress = await trainLoop(parts, loop, start, {
      onStep: report.onStep,
      onValidation: report.onValidation,
      onEpoch: report.onEpoch,
      save: (at, improved) => folder.save(model, plans.step.adam, at, { improved, imageSize: settings.image_size }),
    });
    device.destroy();
    return summary(folder.path, progress, settings.epochs);
  } finally {
    report.end();
    await images.train.pixels.close();
    await images.valid.pixels.close();
  }
}

/** Writes the config and the kernels, and takes over the state of a run that goes on. Returns where training begins. */
async function begin(
  { folder, settings, opened: { adapter }, state, options, context }: Run,
  model: Model,
  step: TrainingStep,
  images: { train: PackedSplit; valid: PackedSplit },
  choices: ChoicesFile,
): Promise<RunProgress> {
  const found = fingerprint(images.train.split, images.valid.split);
  const config = {
    ...settings,
    batch_size: settings.batch_size === 'auto' ? step.batchSize : settings.batch_size,
    micro_batch: step.microBatch,
    normalisation: model.normalisation,
    data_fingerprint: found,
    adapter: adapter.name,
    driver: adapter.driver,
  };
  if (!options.resume) {
    await folder.writeChoices(choices);
    await folder.writeConfig(config);
    return startOfRun(settings.learning_rate);
  }
  const before = await folder.readConfig();
  checkSameImages(folder, { ...before, data: settings.data }, found);
  const saved = state ? unpackState(folder.file('state'), state, model, step.adam) : startOfRun(settings.learning_rate);
  await folder.writeChoices(choices);
  await folder.writeConfig(config);
  context.note(whereItGoesOn(folder.path, saved, settings.epochs));
  if (!context.isGiven('lr')) return saved;
  return { ...saved, schedule: { ...saved.schedule, learningRate: settings.learning_rate } };
}
