import { UserError } from '../base/errors.ts';
import { precisionOf } from '../base/traits.ts';
import type { ImageRecord, MuraIndex } from '../data/mura.ts';
import type { PackedSplit } from '../data/packed.ts';
import type { ModelDefinition } from '../models/definition.ts';
import { Model } from '../models/model.ts';
import type { WeightsFile } from '../models/weights-file.ts';
import { AdamState } from '../train/adam-state.ts';
import type { ChoicesFile } from '../train/choices-file.ts';
import { classWeights, imageWeights } from '../train/class-weights.ts';
import { type LoopOptions, type Stopping, startOfRun, trainLoop } from '../train/loop.ts';
import type { RunFolder } from '../train/run-folder.ts';
import { type RunProgress, unpackState } from '../train/run-state.ts';
import type { TrainingStep } from '../train/step.ts';
import { choicesInForce, tellMisfits } from './choices.ts';
import type { Context, Output } from './command.ts';

import { loadImages, type Opened } from './session.ts';
import { createPlans, createStep, type Plans, plansOf } from './train-plans.ts';
import { keptBy, summary, TrainReport, whereItGoesOn } from './train-report.ts';
import {
  checkSameImages,
  fingerprint,
  type Phase,
  phasesOf,
  type Settings,
  type TrainOptions,
} from './train-settings.ts';
import { tuneRun } from './tuning.ts';

interface Images {
  readonly train: PackedSplit;
  readonly valid: PackedSplit;
}

/** A run whose options are checked and whose folder can be written to. */
export interface Run {
  readonly folder: RunFolder;
  readonly settings: Settings;
  readonly definition: ModelDefinition;
  readonly opened: Opened;
  /** The kernels that the run goes on with, or that were tuned for its adapter before. */
  readonly choices: ChoicesFile;
  /** The images of both splits. */
  readonly images: () => Promise<Images>;
  /** Whether the run folder has its config: the run goes on. */
  readonly begun: boolean;
  /** Bytes of the state that it goes on from; undefined before the first is saved. */
  readonly state: Uint8Array | undefined;
  readonly pretrained: WeightsFile | undefined;
  readonly options: TrainOptions;
  readonly context: Context;
  readonly signal: AbortSignal;
  readonly onSave: () => void;
}

/** The images of both splits, which are read when they are first asked for. */
export function imagesOf({
  settings,
  index,
  options,
  context,
  signal,
}: Pick<Run, 'settings' | 'options' | 'context' | 'signal'> & { readonly index: MuraIndex }) {
  const sizes = { imageSize: settings.image_size, cache: options.cache };
  const load = (name: 'train' | 'valid') => loadImages(settings.data, index[name], sizes, context, signal);
  let images: Images | undefined;
  return {
    async read(): Promise<Images> {
      images ??= { train: await load('train'), valid: await load('valid') };
      return images;
    },
    async close(): Promise<void> {
      await images?.train.pixels.close();
      await images?.valid.pixels.close();
    },
  };
}

/** Trains on the device of a run, to its end. */
export async function train(run: Run): Promise<Output> {
  const { folder, settings, definition, options, context } = run;
  const { device } = run.opened;
  const model = new Model(device, definition, { seed: settings.seed, initialise: !run.pretrained && !run.state });
  if (run.pretrained && !run.state) {
    const { file, tensors, normalisation } = run.pretrained;
    for (const note of model.load(file, tensors, normalisation).notes) context.note(note);
  } else if (settings.normalisation) {
    model.normalisation = settings.normalisation;
  }
  const images = await run.images();
  const adam = new AdamState(model);
  const { freeze } = phasesOf(settings).at(-1) as Phase;
  const plan = (choices: ChoicesFile, note = context.note) =>
    createPlans(model, adam, images, { ...settings, freeze, choices }, note);
  const choices = options.tune && !run.begun ? await tuneRun(run, (given) => plan(given, () => {})) : run.choices;
  const plans = await plan(choices);
  tellMisfits(plansOf(plans), context);
  const start = await begin(run, model, plans.step, images, choicesInForce(choices, plansOf(plans)));
  const progress = await trainPhases({ run, model, adam, images, choices }, plans, start);
  device.destroy();
  return summary(folder.path, progress, stoppingOf(settings));
}

const stoppingOf = ({ epochs, early_stop: earlyStop, freeze_epochs: frozenEpochs }: Settings): Stopping => ({
  epochs,
  earlyStop: earlyStop ?? undefined,
  frozenEpochs: frozenEpochs ?? undefined,
});

/** Writes the config and the kernels, and takes over the state of a run that goes on. Returns where training begins. */
async function begin(
  { folder, settings, opened: { adapter, device }, begun, state, context }: Run,
  model: Model,
  step: TrainingStep,
  images: Images,
  choices: ChoicesFile,
): Promise<RunProgress> {
  const found = fingerprint(images.train.split, images.valid.split);
  const config = {
    ...settings,
    batch_size: settings.batch_size === 'auto' ? step.batchSize : settings.batch_size,
    micro_batch: step.microBatch,
    normalisation: model.normalisation,
    precision: precisionOf(device.traits),
    data_fingerprint: found,
    adapter: adapter.name,
    driver: adapter.driver,
  };
  if (!begun) {
    await folder.writeChoices(choices);
    await folder.writeConfig(config);
    return startOfRun(settings.learning_rate);
  }
  const before = await folder.readConfig();
  checkSameImages(folder, { ...before, data: settings.data }, found);
  const saved = state ? unpackState(folder.file('state'), state, model, step.adam) : startOfRun(settings.learning_rate);
  await folder.writeChoices(choices);
  await folder.writeConfig(config);
  const start = state ? await folder.restore(model, saved, settings.image_size) : saved;
  if (saved.best && !start.best) context.note(`${folder.file('best')} is gone: the next epoch is the best so far`);
  context.note(whereItGoesOn(folder.path, start, settings.epochs));
  const rate = settings.learning_rate;
  if ((start.askedRate ?? before.learning_rate) === rate) return start;
  return { ...start, askedRate: rate, schedule: { ...start.schedule, learningRate: rate } };
}

/** What every phase of a run trains with. */
interface Trained {
  readonly run: Run;
  readonly model: Model;
  readonly adam: AdamState;
  readonly images: Images;
  readonly choices: ChoicesFile;
}

/** Trains the phases of a run that are not complete; `plans` are those of the last one. Returns where it ended. */
async function trainPhases(trained: Trained, plans: Plans, start: RunProgress): Promise<RunProgress> {
  const { settings, context } = trained.run;
  const phases = phasesOf(settings);
  const report = new TrainReport(context, settings.epochs);
  let progress = start;
  let [step, planned] = [plans.step, phases.at(-1)];
  try {
    for (const [index, phase] of phases.entries()) {
      if (progress.epoch >= phase.until && index < phases.length - 1) continue;
      if (phase !== planned) {
        await step.destroy();
        step = await stepOf(trained, phase, plans.step);
        planned = phase;
      }
      const before = phases[index - 1];
      if (before && progress.epoch === before.until && progress.batch === 0) {
        trained.adam.restart();
        context.note(`from epoch ${before.until + 1} on all weights learn; Adam begins anew`);
      }
      progress = await trainPhase(trained, { ...plans, step }, phase, progress, report);
      if (progress.epoch < phase.until) break;
    }
    return progress;
  } finally {
    report.end();
  }
}

/** The step of a phase, in the sizes of another one's; the run folder records its kernels. */
async function stepOf(
  { run: { folder, settings }, model, adam, images, choices }: Trained,
  { freeze }: Phase,
  { batchSize, microBatch }: TrainingStep,
): Promise<TrainingStep> {
  const kept = (await folder.readChoices()) ?? choices;
  const size = { batchSize, microBatch };
  const step = await createStep(model, adam, images, { ...settings, freeze, choices: kept }, size);
  await folder.writeChoices(choicesInForce(kept, step.plans));
  return step;
}

function trainPhase(
  { run, model, images }: Trained,
  plans: Plans,
  { until }: Phase,
  start: RunProgress,
  report: TrainReport,
): Promise<RunProgress> {
  const { folder, settings, options, context, signal } = run;
  const records = images.train.split.images;
  const loop: LoopOptions = {
    ...stoppingOf(settings),
    epochs: until,
    seed: settings.seed,
    maxRotation: settings.max_rotation ?? undefined,
    plateauPatience: settings.plateau_patience,
    best: settings.best,
    maxSteps: options.maxSteps,
    saveSeconds: 60 * settings.save_minutes,
  };
  const save = async (at: RunProgress) => {
    try {
      await folder.save(model, plans.step.adam, at, settings.image_size);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const kept = keptBy(folder.path, await folder.readProgress(model.definition.name));
      throw new UserError(`${error.message}: ${kept}`, { cause: error });
    }
    run.onSave();
  };
  const weights = settings.class_weights ? { imageWeights: imageWeights(records) } : {};
  const parts = { model, ...plans, ...images, ...weights, signal, now: () => performance.now() / 1000 };
  if (settings.class_weights) tellClassWeights(records, context);
  return trainLoop(parts, loop, start, {
    onStep: report.onStep,
    onValidation: report.onValidation,
    onEpoch: report.onEpoch,
    save,
  });
}

function tellClassWeights(records: readonly ImageRecord[], { note }: Context): void {
  const regions = [...classWeights(records)].map(
    ([region, { abnormal, normal }]) => `${region} ${abnormal.toFixed(2)} and ${normal.toFixed(2)}`,
  );
  note(`abnormal and normal images count: ${regions.join(', ')}`);
}
