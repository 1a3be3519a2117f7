import { createHash } from 'node:crypto';
import { realpath, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { required } from '../base/errors.ts';
import type { FailedImage, ImageLoader, LoadedImages, OnProgress } from '../data/packed.ts';
import { type FileState, ImageShard, SHARD_FORMAT, type ShardEntry } from './node-image-shard.ts';
import { ImageStore, type StoreOptions } from './node-image-store.ts';
import { type PackJob, type PackResult, packImages } from './node-read-image.ts';
import { runJobs, workerScript } from './node-worker-pool.ts';
import { JOB_IMAGES } from './node-workers.ts';

/** Images of a shard: few enough that little is lost where a process is killed, enough that there are few files. */
const SHARD_IMAGES = 256;
/** Where images are large, a shard of about so many bytes: it is held in memory until it is written. */
const SHARD_BYTES = 2 ** 25;
/** Files whose state is asked for at once. */
const STATES_AT_ONCE = 64;

export interface ImageCacheOptions extends StoreOptions {
  /** Folder of all caches. */
  readonly folder: string;
  /** Images of a shard; default: as many as suit their size. */
  readonly shardImages?: number;
}

/** What a split's images are kept for. */
interface Target {
  readonly directory: string;
  readonly size: number;
}

/** Consecutive images of a list and where their pixels are: in a shard, or in memory. */
class Part {
  readonly path: string;
  readonly files: readonly FileState[];
  readonly #size: number;
  #images: readonly ShardEntry[] = [];
  #shard: ImageShard | undefined;
  #memory: readonly (Uint8Array | undefined)[] = [];

  constructor(path: string, files: readonly FileState[], size: number) {
    this.path = path;
    this.files = files;
    this.#size = size;
  }

  get images(): readonly ShardEntry[] {
    return this.#images;
  }

  /** Opens the shard as it is now. */
  async open(): Promise<void> {
    await this.close();
    const paths = this.files.map(({ path }) => path);
    this.#shard = await ImageShard.open(this.path, paths, this.#size);
    this.#images = this.#shard?.images ?? [];
  }

  /** The places of the images whose files are not as they were when they were decoded. */
  stale(): number[] {
    return this.files.flatMap(({ bytes, modified }, at) => {
      const image = this.#images[at];
      return image && bytes >= 0 && image.bytes === bytes && image.modified === modified ? [] : [at];
    });
  }

  /** Takes over what was found of the stale images, by their places, and has `store` keep it. */
  async update(results: ReadonlyMap<number, PackResult>, store: ImageStore | undefined): Promise<void> {
    const images = this.files.map((file, at) => entryOf(file, results.get(at), this.#images[at]));
    if (this.#shard && JSON.stringify(images) === JSON.stringify(this.#images)) return;
    const memory: (Uint8Array | undefined)[] = [];
    for (const at of images.keys()) memory.push(await this.#planes(at, results.get(at)));
    const stored = memory.filter((planes) => planes !== undefined);
    if (await store?.write(this.path, this.#size, images, stored)) {
      await this.open();
      if (this.#shard) return;
    }
    await this.close();
    this.#memory = memory;
    this.#images = images;
  }

  /** The planes of an image: as it was decoded just now, or as the shard has them; undefined where it has none. */
  async #planes(at: number, result: PackResult | undefined): Promise<Uint8Array | undefined> {
    if (result && 'pixels' in result) return result.pixels;
    const known = this.#images[at];
    if ((result && 'reason' in result) || !known || !('channels' in known)) return undefined;
    const planes = new Uint8Array(known.channels * this.#size ** 2);
    await required(this.#shard, 'the shard of an image that is unchanged').read(at, planes, 0);
    return planes;
  }

  async read(at: number, target: Uint8Array, offset: number): Promise<void> {
    if (this.#shard) await this.#shard.read(at, target, offset);
    else target.set(required(this.#memory[at], `image ${at} of a part`), offset);
  }

  async close(): Promise<void> {
    await this.#shard?.close();
    this.#shard = undefined;
  }
}

/** What is to be kept of an image. One whose file could not be read is looked at anew the next time. */
function entryOf(file: FileState, result: PackResult | undefined, before: ShardEntry | undefined): ShardEntry {
  if (!result) return required(before, 'what is known of an image');
  if ('unchanged' in result) return { ...required(before, 'what is known of an image'), ...file };
  if ('pixels' in result) {
    const { sha256, channels, crc32 } = result;
    return { ...file, sha256, channels, crc32 };
  }
  const { sha256, reason } = result;
  return sha256 ? { ...file, sha256, reason } : { path: file.path, bytes: -1, modified: '', sha256: '', reason };
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

async function stateOf(directory: string, path: string): Promise<FileState> {
  try {
    const { size, mtimeNs } = await stat(join(directory, path), { bigint: true });
    return { path, bytes: Number(size), modified: String(mtimeNs) };
  } catch {
    return { path, bytes: -1, modified: '' };
  }
}

async function statesOf(directory: string, paths: readonly string[]): Promise<FileState[]> {
  const states: FileState[] = [];
  for (let start = 0; start < paths.length; start += STATES_AT_ONCE) {
    const some = paths.slice(start, start + STATES_AT_ONCE);
    states.push(...(await Promise.all(some.map((path) => stateOf(directory, path)))));
  }
  return states;
}

/** Decodes the stale images of some parts in worker threads, as many as there are cores, and updates the parts. */
async function decode(
  { directory, size }: Target,
  parts: readonly Part[],
  store: ImageStore | undefined,
  onDecoded: (images: number) => void,
): Promise<void> {
  const jobs: (PackJob & { part: Part; places: number[] })[] = [];
  const left = new Map<Part, number>();
  const results = new Map<Part, Map<number, PackResult>>();
  for (const part of parts) {
    const stale = part.stale();
    left.set(part, stale.length);
    results.set(part, new Map());
    for (let start = 0; start < stale.length; start += JOB_IMAGES) {
      const places = stale.slice(start, start + JOB_IMAGES);
      const images = places.map((at) => {
        return { path: (part.files[at] as FileState).path, known: part.images[at]?.sha256 };
      });
      jobs.push({ directory, size, images, part, places });
    }
  }
  let writing = Promise.resolve();
  const take = (index: number, found: readonly PackResult[]) => {
    const { part, places } = jobs[index] as (typeof jobs)[number];
    const own = results.get(part) as Map<number, PackResult>;
    for (const [i, at] of places.entries()) own.set(at, found[i] as PackResult);
    left.set(part, (left.get(part) as number) - places.length);
    onDecoded(places.length);
    if (left.get(part) !== 0) return;
    results.delete(part);
    writing = writing.then(() => part.update(own, store));
    // It is thrown below.
    writing.catch(() => {});
  };
  const messages = jobs.map(({ images }): PackJob => ({ directory, size, images }));
  try {
    // A few images are decoded before a thread would have started.
    if (messages.length === 1) for (const job of messages) take(0, await packImages(job));
    else await runJobs(workerScript('node-pack-worker'), messages, take);
  } finally {
    await writing;
  }
}

/** The parts of a list of images, their shards open. */
async function planParts(
  { directory, size }: Target,
  paths: readonly string[],
  folder: string,
  each: number,
): Promise<Part[]> {
  const files = await statesOf(directory, paths);
  const parts: Part[] = [];
  for (let start = 0; start < files.length; start += each) {
    const own = files.slice(start, start + each);
    const number = String(parts.length).padStart(4, '0');
    const name = `${number}-${hashOf(JSON.stringify(own.map(({ path }) => path)))}.images`;
    parts.push(new Part(join(folder, name), own, size));
  }
  for (const part of parts) await part.open();
  return parts;
}

const staleImages = (parts: readonly Part[]): number => parts.reduce((sum, part) => sum + part.stale().length, 0);

/** Has every part hold its images as their files are now. */
async function refresh(
  target: Target,
  folder: string,
  parts: readonly Part[],
  options: ImageCacheOptions,
  onProgress?: OnProgress,
): Promise<void> {
  const total = parts.reduce((sum, part) => sum + part.files.length, 0);
  let stale = parts.filter((part) => part.stale().length > 0);
  const store = stale.length > 0 ? await ImageStore.open(folder, options) : undefined;
  try {
    // Another process may have done it meanwhile.
    if (store) for (const part of stale) await part.open();
    stale = stale.filter((part) => part.stale().length > 0);
    let done = total - staleImages(stale);
    onProgress?.(done, total);
    const bytes = stale.reduce((sum, part) => sum + part.files.length * target.size ** 2, 0);
    const keeping = stale.length > 0 && (await store?.hasRoom(bytes)) ? store : undefined;
    await decode(target, stale, keeping, (images) => {
      done += images;
      onProgress?.(done, total);
    });
  } finally {
    await store?.close();
  }
}

function loaded(parts: readonly Part[], each: number): LoadedImages {
  const images = parts.flatMap((part) =>
    part.images.map((image): { channels: 1 | 3 } | FailedImage =>
      'channels' in image ? { channels: image.channels } : { path: image.path, reason: image.reason },
    ),
  );
  return {
    images,
    pixels: {
      async read(wanted, target, offsets) {
        const reads = Array.from(wanted, (image, slot) =>
          required(parts[Math.floor(image / each)], `image ${image}`).read(image % each, target, offsets[slot] ?? 0),
        );
        await Promise.all(reads);
      },
      async close() {
        for (const part of parts) await part.close();
      },
    },
  };
}

/**
 * Images decoded once and kept on the disk: in shards of some hundred images, by folder of the data set, size and list
 * of files. An image is decoded anew where its file has another size or time of change and another content. A shard is
 * written whole or not at all, from its files alone, so that whenever a process is killed, the next one ends with the
 * same bytes. Where the folder cannot be written to, or the disk is too full, images stay in memory, and a note says so.
 */
export function imageCache(options: ImageCacheOptions): ImageLoader {
  return async (directory, paths, size, onProgress) => {
    const real = await realpath(directory).catch(() => resolve(directory));
    const name = `${basename(real)}-${size}px-${hashOf(JSON.stringify([SHARD_FORMAT, real]))}`;
    const each =
      options.shardImages ?? Math.min(SHARD_IMAGES, Math.max(JOB_IMAGES, Math.floor(SHARD_BYTES / size ** 2)));
    const folder = join(resolve(options.folder), name);
    const target = { directory, size };
    const parts = await planParts(target, paths, folder, each);
    try {
      await refresh(target, folder, parts, options, onProgress);
      return loaded(parts, each);
    } catch (error) {
      for (const part of parts) await part.close();
      throw error;
    }
  };
}
