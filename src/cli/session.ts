import { type Precision, precisionOf } from '../base/traits.ts';
import { type MuraIndex, readMura, type Split, withoutImages } from '../data/mura.ts';
import { type PackedSplit, packSplit } from '../data/packed.ts';
import type { Device } from '../gpu/device.ts';
import type { NodeAdapter } from '../gpu/node.ts';
import { cacheFolder } from '../gpu/node-cache-folder.ts';
import { openDevice as openNodeDevice } from '../gpu/node-device.ts';
import { nodeFiles } from '../io/node.ts';
import { imageCache } from '../io/node-image-cache.ts';
import type { Context } from './command.ts';
import { softwareMemory } from './host-memory.ts';

/** The device of a command, and the adapter it was opened on. */
export interface Opened {
  readonly device: Device;
  readonly adapter: NodeAdapter;
}

/**
 * Opens the adapter that `--adapter` asks for and says which it is and why, and where it cannot store f16 though that was
 * asked for: it then goes on in f32.
 */
export async function openDevice(adapter: string, context: Context, precision: Precision = 'f32'): Promise<Opened> {
  const opened = await openNodeDevice({ adapter, precision, softwareMemory: softwareMemory() });
  const { name, driver, kind, reason } = opened.adapter;
  context.note(`adapter: ${name}, ${driver} (${kind}), because ${reason}`);
  if (precisionOf(opened.device.traits) !== precision) {
    context.note(`${name} has no shader-f16, which --precision ${precision} needs: f32 is used instead`);
  }
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

/** What images are decoded for, and where they are kept. */
export interface ImageOptions {
  readonly imageSize: number;
  /** Folder of the cache; default: the user's. */
  readonly cache: string | undefined;
}

/**
 * The images of a split of a data set, decoded and resized where the cache does not have them, with progress; tells which
 * were skipped. Aborting `signal` makes it throw the signal's reason.
 */
export async function loadImages(
  directory: string,
  split: Split,
  { imageSize, cache = cacheFolder('images') }: ImageOptions,
  context: Context,
  signal: AbortSignal,
): Promise<PackedSplit> {
  const progress = context.progress(`reading ${split.name}`, 'images');
  const load = imageCache({ folder: cache, note: context.note, signal });
  try {
    const packed = await packSplit(directory, split, imageSize, load, (done, total) => {
      signal.throwIfAborted();
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
