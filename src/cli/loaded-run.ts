import { stat } from 'node:fs/promises';
import { UsageError, UserError } from '../base/errors.ts';
import type { Precision } from '../base/traits.ts';
import type { Device } from '../gpu/device.ts';
import { nodeFiles } from '../io/node.ts';
import type { ModelDefinition } from '../models/definition.ts';
import { findModel } from '../models/index.ts';
import { checkImageSize } from '../models/inference.ts';
import { Model } from '../models/model.ts';
import { parseWeightsFile, type WeightsFile } from '../models/weights-file.ts';
import { RunFolder } from '../train/run-folder.ts';
import type { Context } from './command.ts';
import { asUsage } from './usage.ts';

export const readWeightsFile = async (file: string): Promise<WeightsFile> =>
  parseWeightsFile(file, await nodeFiles.readBytes(file));

/** What a RUN argument names: weights, and the network and image size they belong to. */
export interface LoadedRun {
  readonly definition: ModelDefinition;
  readonly imageSize: number;
  readonly weights: WeightsFile;
  readonly precision: Precision;
  /** Set where RUN is a run folder. */
  readonly folder: RunFolder | undefined;
}

/** --model, --image-size and --precision, which may go against what a run records. */
interface GivenNetwork {
  readonly model?: string | undefined;
  readonly imageSize?: number | undefined;
  readonly precision?: Precision | undefined;
}

/** Reads a run folder's best weights, or a bare weights file, for which --model and --image-size say what it is. */
export async function loadRun(run: string, given: GivenNetwork): Promise<LoadedRun> {
  const found = await stat(run).catch(() => undefined);
  if (!found) throw new UserError(`${run} does not exist: give a run folder or a weights file`);
  if (!found.isDirectory()) return loadBareWeights(run, given);
  const folder = new RunFolder(nodeFiles, run);
  const config = await folder.readConfig();
  const best = (await nodeFiles.exists(folder.file('best'))) ? folder.file('best') : folder.file('last');
  if (!(await nodeFiles.exists(best))) {
    throw new UserError(`${run} has no weights yet: go on with murad train --resume ${run}`);
  }
  const { definition, imageSize } = networkOf(run, given, { model: config.model, imageSize: config.image_size });
  const precision = given.precision ?? config.precision;
  return { definition, imageSize, weights: await readWeightsFile(best), precision, folder };
}

/** The network and image size that the options give, or else what `run` records. */
function networkOf(
  run: string,
  given: GivenNetwork,
  recorded: GivenNetwork,
): { definition: ModelDefinition; imageSize: number } {
  const { model, imageSize } = {
    model: given.model ?? recorded.model,
    imageSize: given.imageSize ?? recorded.imageSize,
  };
  if (!model || !imageSize) {
    const missing = [...(model ? [] : ['--model']), ...(imageSize ? [] : ['--image-size'])].join(' and ');
    throw new UsageError(`${run} does not say what it was trained for: give ${missing}`);
  }
  const definition = given.model ? asUsage(() => findModel(model)) : findModel(model);
  const check = () => checkImageSize(definition, imageSize);
  if (given.imageSize) asUsage(check);
  else check();
  return { definition, imageSize };
}

async function loadBareWeights(file: string, given: GivenNetwork): Promise<LoadedRun> {
  const weights = await readWeightsFile(file);
  return { ...networkOf(file, given, weights), weights, precision: given.precision ?? 'f32', folder: undefined };
}

/** A model on the device with the run's weights; says where a head was replaced. */
export function createModel(device: Device, { definition, weights }: LoadedRun, context: Context): Model {
  const model = new Model(device, definition, { initialise: false });
  const { notes } = model.load(weights.file, weights.tensors, weights.normalisation);
  for (const note of notes) context.note(note);
  return model;
}
