import { stat } from 'node:fs/promises';
import { UsageError, UserError } from '../base/errors.ts';
import { type MuraIndex, readMura, type Split, withoutImages } from '../data/mura.ts';
import { type PackedSplit, packSplit } from '../data/packed.ts';
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
import { isSafetensors, readSafetensors } from '../weights/safetensors.ts';
import { readWeights, type StateDict } from '../weights/state-dict.ts';
import type { Context } from './command.ts';
import { softwareMemory } from './host-memory.ts';
import { asUsage } from './usage.ts';

/** The device of a command, and the adapter it was opened on. */
export interface Opened {
  readonly device: Device;
  readonly adapter: NodeAdapter;
}

/** Opens the adapter that `--adapter` asks for and says which it is and why. */
export async function openDevice(adapter: string, context: Context): Promise<Opened> {
  const opened = await openNodeDevice({ adapter, softwareMemory: softwareMemory() });
  const { name, driver, kind, reason } = opened.adapter;
  context.note(`adapter: ${name}, ${driver} (${kind}), because ${reason}`);
  return opened;
}

/** The first `limit` images of a split; studies that lose all of theirs go too. */
function firstImages(split: Split, limit: number | null): Split {
  if (limit === null) return split;
  return withoutImages(split, new Set(split.images.flatMap((_, index) => (index < limit ? [] : [index]))));
}

/** Reads the index of both splits; no study is in both. */
export async function readIndex(directory: string, limit: number | null): Promise<MuraIndex> {
  const { train, valid, problems } = await readMura(nodeFiles, directory);
  return { train: firstImages(train, limit), valid: firstImages(valid, limit), problems };
}

/**
 * Decodes and resizes the images of a split of a data set, with progress; tells which were skipped. Aborting `signal`
 * makes it throw the signal's reason.
 */
export async function loadImages(
  directory: string,
  split: Split,
  imageSize: number,
  context: Context,
  signal?: AbortSignal,
): Promise<PackedSplit> {
  const progress = context.progress(`reading ${split.name}`, 'images');
  try {
    const packed = await packSplit(directory, split, imageSize, nodeImageReader, (done, total) => {
      signal?.throwIfAborted();
      progress.update(done, total);
    });
    for (const { path, reason } of packed.failed) context.note(`skipped ${path}: ${reason}`);
    const skipped = packed.failed.length;
    if (skipped > 0) context.note(`${split.name}: ${skipped} of ${split.images.length} images skipped`);
    return packed;
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

/** --model and --image-size, which may go against what a run records. */
interface GivenNetwork {
  readonly model?: string | undefined;
  readonly imageSize?: number | undefined;
}

/** Reads a run folder's best weights, or a bare weights file, for which --model and --image-size say what it is. */
export async function loadRun(run: string, given: GivenNetwork): Promise<LoadedRun> {
  const found = await stat(run).catch(() => undefined);
  if (!found) throw new UserError(`${run} does not exist: give a run folder or a weights file`);
  if (!found.isDirectory()) return loadWeightsFile(run, given);
  const folder = new RunFolder(nodeFiles, run);
  const config = await folder.readConfig();
  const best = (await nodeFiles.exists(folder.file('best'))) ? folder.file('best') : folder.file('last');
  if (!(await nodeFiles.exists(best))) {
    throw new UserError(`${run} has no weights yet: go on with murad train --resume ${run}`);
  }
  const { definition, imageSize } = networkOf(run, given, { model: config.model, imageSize: config.image_size });
  return { definition, imageSize, file: best, tensors: readWeights(best, await nodeFiles.readBytes(best)), folder };
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

async function loadWeightsFile(file: string, given: GivenNetwork): Promise<LoadedRun> {
  const bytes = await nodeFiles.readBytes(file);
  const metadata = isSafetensors(bytes) ? readSafetensors(file, bytes).metadata : {};
  const { definition, imageSize } = networkOf(file, given, {
    model: metadata.model,
    imageSize: Number(metadata.image_size) || undefined,
  });
  return { definition, imageSize, file, tensors: readWeights(file, bytes), folder: undefined };
}

/** A model on the device with the run's weights; says where a head was replaced. */
export function createModel(device: Device, run: LoadedRun, context: Context): Model {
  const model = new Model(device, run.definition);
  for (const note of model.load(run.file, run.tensors).notes) context.note(note);
  return model;
}
