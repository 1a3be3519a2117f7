import { DeviceLostError, UserError } from '../base/errors.ts';
import type { Precision } from '../base/traits.ts';
import { nodeFiles } from '../io/node.ts';
import type { ModelDefinition } from '../models/definition.ts';
import { findModel } from '../models/index.ts';
import { checkImageSize } from '../models/inference.ts';
import { isOfAdapter } from '../train/choices-file.ts';
import { outlivingDevice } from '../train/recovery.ts';
import { RunFolder } from '../train/run-folder.ts';
import { readProgress } from '../train/run-state.ts';
import { choicesFor } from './choices.ts';
import type { Context, Output } from './command.ts';
import { readWeightsFile } from './loaded-run.ts';
import { freeRunPath, makeOutputFolder } from './output-folder.ts';
import { drawPhantom } from './phantom.ts';
import { lockRun } from './run-lock.ts';
import { type Opened, openDevice, readIndex } from './session.ts';
import { keptBy, resumeCommand } from './train-report.ts';
import { imagesOf, train } from './train-run.ts';
import {
  checkNetwork,
  newSettings,
  PHANTOM_FOLDER,
  resumedSettings,
  type Settings,
  type TrainOptions,
} from './train-settings.ts';
import { asUsage } from './usage.ts';
import { pretrainedFile } from './weights-fetch.ts';

const PHANTOM = { studies: 1000, seed: 0, size: 320 };

/** Trains a network by the paper's recipe; see `murad train --help`. */
export async function run(options: TrainOptions, context: Context): Promise<Output> {
  const signal = context.interruption();
  const folder = new RunFolder(nodeFiles, options.resume ?? options.out ?? (await freeRunPath(options.model)));
  const { model } = options.resume ? await folder.readConfig() : checkedSettings(options, context).settings;
  const output = await makeOutputFolder(folder.path);
  try {
    const lock = await lockRun(folder);
    try {
      return await runLocked(folder, options, context, signal);
    } finally {
      await lock.release();
    }
  } catch (error) {
    await output.discard();
    if (error instanceof DeviceLostError) {
      throw new UserError(`${error.message}: ${keptBy(folder.path, await folder.readProgress(model))}`, {
        cause: error,
      });
    }
    if (error !== signal.reason || !(error instanceof UserError)) throw error;
    const saved = (await folder.readState())
      ? `the run is saved; go on with ${resumeCommand(folder.path)}`
      : 'nothing is saved yet';
    throw new UserError(`${error.message}: ${saved}`);
  }
}

interface Checked {
  readonly settings: Settings;
  readonly definition: ModelDefinition;
}

/** The settings of a new run; a fault of theirs is wrong usage. */
function checkedSettings(options: TrainOptions, context: Context): Checked {
  const settings = newSettings(options, context);
  return asUsage(() => ({ settings, definition: networkOf(settings) }));
}

function networkOf(settings: Settings): ModelDefinition {
  const definition = findModel(settings.model);
  checkImageSize(definition, settings.image_size, { training: true });
  checkNetwork(settings, definition);
  return definition;
}

/** As `run`, in a folder that no other process writes to. */
async function runLocked(
  folder: RunFolder,
  options: TrainOptions,
  context: Context,
  signal: AbortSignal,
): Promise<Output> {
  if (!options.resume) await folder.refuseExisting();
  await folder.removeLeftovers();
  const { settings, definition } = options.resume
    ? await resumed(folder, options, context)
    : checkedSettings(options, context);
  const state = options.resume ? await folder.readState() : undefined;
  // Damage is told before anything takes long.
  if (state) readProgress(folder.file('state'), state, definition.name);
  const pretrained =
    settings.pretrained && !state ? await readWeightsFile(await pretrainedFile(settings.pretrained)) : undefined;
  const opened = await openDevice(options.adapter, context, settings.precision);
  const choices = await choicesFor(options.resume ? folder : undefined, opened.adapter, context);
  if (settings.data === PHANTOM_FOLDER && !options.data) await makePhantom(context);
  const index = await readIndex(settings.data, settings.limit);
  for (const problem of index.problems) context.note(problem);
  const images = imagesOf({ settings, index, options, context, signal });
  const common = { folder, definition, images: images.read, pretrained, options, context, signal };
  const begun = options.resume !== undefined;
  /** Where the run goes on after its device was lost: from what its folder holds, sizes that were chosen too. */
  const fromFolder = async () => {
    const kept = (await folder.readChoices()) ?? choices;
    if (!(await folder.hasConfig())) return { begun: false, settings, choices: kept, state: undefined };
    return {
      begun: true,
      settings: begun ? settings : await folder.readConfig(),
      choices: kept,
      state: await folder.readState(),
    };
  };
  let saves = 0;
  try {
    return await outlivingDevice({
      open: reopening(opened, { ...options, precision: settings.precision }, context),
      attempt: async (device, again) => {
        const from = again ? await fromFolder() : { begun, settings, choices, state };
        return train({ ...common, ...from, opened: device, onSave: () => saves++ });
      },
      saved: () => saves,
      onLoss: () => context.note('the GPU device was lost: it is opened again, and the run goes on from its last save'),
    });
  } finally {
    await images.close();
  }
}

async function resumed(folder: RunFolder, options: TrainOptions, context: Context): Promise<Checked> {
  const settings = resumedSettings(folder, await folder.readConfig(), options, context);
  return { settings, definition: networkOf(settings) };
}

/** Gives the device that is open and then, where it was lost, others of the same adapter. */
function reopening(
  first: Opened,
  { adapter, precision }: { readonly adapter: string; readonly precision: Precision },
  context: Context,
): () => Promise<Opened> {
  let fresh = true;
  return async () => {
    if (fresh) {
      fresh = false;
      return first;
    }
    const { name, driver } = first.adapter;
    const gone = (why: string) =>
      new DeviceLostError(`the GPU device was lost and ${name} does not come back (${why})`);
    const opened = await openDevice(adapter, context, precision).catch((error: unknown) => {
      throw error instanceof UserError ? gone(error.message) : error;
    });
    const found = opened.adapter;
    if (isOfAdapter({ adapter: found.name, driver: found.driver }, { adapter: name, driver })) return opened;
    opened.device.destroy();
    throw gone(`there is ${found.name}, ${found.driver}`);
  };
}

async function makePhantom(context: Context): Promise<void> {
  if (await nodeFiles.exists(PHANTOM_FOLDER)) return;
  context.note(`no --data: making a phantom set of ${PHANTOM.studies} studies under ${PHANTOM_FOLDER}`);
  await drawPhantom(PHANTOM_FOLDER, PHANTOM, context);
}
