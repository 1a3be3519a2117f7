import { readdir, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../base/errors.ts';
import { makeWritableFolder } from './node.ts';
import { ImageShard, type ShardEntry } from './node-image-shard.ts';
import type { Lock } from './node-lock.ts';
import { waitForLock } from './node-wait-for-lock.ts';

/** So much is told of before it is written. */
const MUCH = 2 ** 28;

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toPrecision(2)} GB`;

export interface StoreOptions {
  note(line: string): void;
  readonly signal?: AbortSignal;
}

/** Makes a folder that can be written to and takes its lock. Files that a killed process was writing are removed. */
async function openFolder(folder: string, { note, signal }: StoreOptions): Promise<Lock> {
  await makeWritableFolder(folder);
  const lock = await waitForLock(
    join(folder, 'lock'),
    ({ pid }) => note(`process ${pid} is decoding the same images into ${folder}: waiting for it`),
    signal,
  );
  const names = await readdir(folder).catch(() => []);
  for (const name of names) if (name.endsWith('.tmp')) await unlink(join(folder, name)).catch(() => {});
  return lock;
}

/** The folder of a data set's shards, held by this process alone. */
export class ImageStore {
  readonly #folder: string;
  readonly #lock: Lock;
  readonly #options: StoreOptions;
  #isBroken = false;

  private constructor(folder: string, lock: Lock, options: StoreOptions) {
    this.#folder = folder;
    this.#lock = lock;
    this.#options = options;
  }

  /** Waits while another process holds the folder; undefined, and a note, where it cannot be written to. */
  static async open(folder: string, options: StoreOptions): Promise<ImageStore | undefined> {
    try {
      return new ImageStore(folder, await openFolder(folder, options), options);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof UserError)) throw error;
      options.note(`the decoded images stay in memory: ${error.message}`);
      return undefined;
    }
  }

  /** Whether the disk has room for so many bytes, as far as it tells; a note where it has not. */
  async hasRoom(bytes: number): Promise<boolean> {
    const { note } = this.#options;
    const free = await statfs(this.#folder).then(
      ({ bavail, bsize }) => bavail * bsize,
      () => undefined,
    );
    if (free !== undefined && bytes > free) {
      const room = `${this.#folder} has ${gigabytes(free)} free, and they take ${gigabytes(bytes)}`;
      note(`the decoded images stay in memory: ${room}; name a folder on a larger disk with --cache`);
      return false;
    }
    if (bytes >= MUCH) note(`keeping ${gigabytes(bytes)} of decoded images in ${this.#folder}`);
    return true;
  }

  /** Writes a shard; false where that fails, which is told of once, and nothing is left of it. */
  async write(path: string, size: number, images: ShardEntry[], pixels: readonly Uint8Array[]): Promise<boolean> {
    if (this.#isBroken) return false;
    try {
      await ImageShard.write(path, size, images, pixels);
      return true;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.#isBroken = true;
      this.#options.note(`the decoded images that are left stay in memory: ${error.message}`);
      return false;
    }
  }

  async close(): Promise<void> {
    await this.#lock.release();
  }
}
