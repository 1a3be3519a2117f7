import { stat } from 'node:fs/promises';
import { UsageError, UserError } from '../base/errors.ts';
import { type PackedSplit, packSplit } from '../data/packed.ts';
import { readSplit, type Split, type SplitName } from '../data/mura.ts';
import type { Device } from '../gpu/device.ts';
import type { NodeAdapter } from '../gpu/node.ts';
import { openDevice as openNodeDevice } from '../gpu/node-device.ts';
import { nodeFiles } from '../io/node.ts';
import { nodeImageReader } from '../io/node-workers.ts';
import type { ModelDefinition } from '../models/definition.ts';
import { findModel } from '../models/index.ts';
import { checkImageSize } from '../models/inference.ts';
import { Model } from '../models/model.ts';
import { RunFolder } from '../train/run-folder.ts';
import { readSafetensors, isSafetensors } from '../weights/safetensors.ts';
import { readWeights, type StateDict } from '../weights/state-dict.ts';
import type { Context } from './command.ts';

/** The device of a command, and the adapter it was opened on. */
export interface Opened {
  readonly device: Device;
  readonly adapter: NodeAdapter;
}

/** Opens the adapter that `--adapter` asks for and says which it is and why. */
export async function openDevice(adapter: string, context: Context): Promise<Opened> {
  const opened = await openNodeDevice({ adapter });
  const { name, driver, kind, reason } = opened.adapter;
  context.note(`adapter: ${name}, ${driver} (${kind}), because ${reason}`);
  return opened;
}

/** The first `limit` images of a split; studies that lose all of theirs go too. */
function firstImages(split: Split, limit: number | undefined): Split {
  if (limit === undefined || limit >= split.images.length) return split;
  const kept = split.images.slice(0, limit);
  const studies = split.studies
    .map((study) => ({ ...study, images: study.images.filter((image) => image < limit) }))
    .slice(0, Math.max(...kept.map((image) => image.study)) + 1);
  return { ...split, images: kept, studies };
}

export interface LoadedSplit {
  readonly packed: PackedSplit;
  readonly problems: readonly string[];
}

/** Reads, decodes and resizes a split of a data set, with progress; says what was passed over. */
export async function loadSplit(
  directory: string,
  name: SplitName,
  imageSize: number,
  context: Context,
  limit?: number,
): Promise<LoadedSplit> {
  const { split, problems } = await readSplit(nodeFiles, directory, name);
  const progress = context.progress(`reading ${name}`, 'images');
  try {
    const chosen = firstImages(split, limit);
    const packed = await packSplit(directory, chosen, imageSize, nodeImageReader, progress.update);
    for (const { path, reason } of packed.failed) context.note(`skipped ${path}: ${reason}`);
    if (packed.failed.length > 0) context.note(`${name}: ${packed.failed.length} images skipped`);
    return { packed, problems };
  } finally {
    progress.end();
  }
}

/** What a RUN argument names: weights, and the network and image size they belong to. */
export interface LoadedRun {
  readonly definition: ModelDefinition;
  readonly imageSize: number;
  /** The weights file. */
  readonly file: string;
  readonly tensors: StateDict;
  /** Set where RUN is a run folder. */
  readonly folder: RunFolder | undefined;
}

/** Reads a run folder's best weights, or a bare weights file, for which --model and --image-size say what it is. */
export async function loadRun(
  run: string,
  given: { model?: string | undefined; imageSize?: number | undefined },
): Promise<LoadedRun> {
  const found = await stat(run).catch(() => undefined);
  if (!found) throw new UserError(`${run} does not exist: give a run folder or a weights file`);
  if (!found.isDirectory()) return loadWeightsFile(run, given);
  const folder = new RunFolder(nodeFiles, run);
  const config = await folder.readConfig();
  const best = (await nodeFiles.exists(folder.file('best'))) ? folder.file('best') : folder.file('last');
  if (!(await nodeFiles.exists(best))) {
    throw new UserError(`${run} has no weights yet: its first epoch is not finished; go on with --resume ${run}`);
  }
  const definition = findModel(given.model ?? config.model);
  const imageSize = given.imageSize ?? config.image_size;
  checkImageSize(definition, imageSize);
  return { definition, imageSize, file: best, tensors: readWeights(best, await nodeFiles.readBytes(best)), folder };
}

async function loadWeightsFile(
  file: string,
  given: { model?: string | undefined; imageSize?: number | undefined },
): Promise<LoadedRun> {
  const bytes = await nodeFiles.readBytes(file);
  const metadata = isSafetensors(bytes) ? readSafetensors(file, bytes).metadata : {};
  const name = given.model ?? metadata.model;
  const imageSize = given.imageSize ?? (Number(metadata.image_size) || undefined);
  if (!name || !imageSize) {
    const missing = [...(name ? [] : ['--model']), ...(imageSize ? [] : ['--image-size'])].join(' and ');
    throw new UsageError(`${file} does not say what it was trained for: give ${missing}`);
  }
  const definition = findModel(name);
  checkImageSize(definition, imageSize);
  return { definition, imageSize, file, tensors: readWeights(file, bytes), folder: undefined };
}

/** A model on the device with the run's weights; says where a head was replaced. */
export function createModel(device: Device, run: LoadedRun, context: Context): Model {
  const model = new Model(device, run.definition);
  for (const note of model.load(run.file, run.tensors).notes) context.note(note);
  return model;
}
