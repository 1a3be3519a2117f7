import { type FileHandle, open, unlink } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { required, UserError } from '../base/errors.ts';
import { fileError, nodeFiles } from './node.ts';

/** Raise it with the layout below, and with what the decoder or the resizing makes of an image. */
export const SHARD_FORMAT = 1;

/** 8 bytes, before the header's length and its CRC-32, each 4 bytes, little-endian. */
const MAGIC = new TextEncoder().encode('MURADIMG');
const PREFIX = 16;

/** How opening fails where there is no shard for this user. */
const UNREADABLE: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'EISDIR']);

/** A file as it was when it was decoded. */
export interface FileState {
  path: string;
  /** -1: unknown, so that the file is looked at anew. */
  bytes: number;
  /** Nanoseconds since 1970. */
  modified: string;
}

/** What a shard says of an image: one that it holds, or one that cannot be decoded. */
export type ShardEntry = FileState & { sha256: string } & (
    | { channels: 1 | 3 /** Of the planes. */; crc32: number }
    | { reason: string }
  );

interface Header {
  format: number;
  /** Side of the images in pixels. */
  size: number;
  images: ShardEntry[];
}

/** First byte of each image's planes and, last, of what follows them. */
function layOut(start: number, { size, images }: Header): number[] {
  const offsets = [start];
  let end = start;
  for (const image of images) {
    end += 'channels' in image ? image.channels * size ** 2 : 0;
    offsets.push(end);
  }
  return offsets;
}

async function readFully(file: FileHandle, target: Uint8Array, position: number): Promise<boolean> {
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await file.read(target, done, target.length - done, position + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}

/** The header of a shard and where it ends; undefined where the file is not whole or is something else. */
async function readHeader(file: FileHandle): Promise<{ header: Header; end: number } | undefined> {
  const prefix = new Uint8Array(PREFIX);
  if (!(await readFully(file, prefix, 0)) || MAGIC.some((byte, at) => prefix[at] !== byte)) return undefined;
  const view = new DataView(prefix.buffer);
  const length = view.getUint32(8, true);
  const { size: bytes } = await file.stat();
  if (PREFIX + length > bytes) return undefined;
  const text = new Uint8Array(length);
  if (!(await readFully(file, text, PREFIX)) || crc32(text) !== view.getUint32(12, true)) return undefined;
  const header = JSON.parse(new TextDecoder().decode(text)) as Header;
  const isWhole = header.format === SHARD_FORMAT && layOut(PREFIX + length, header).at(-1) === bytes;
  return isWhole ? { header, end: PREFIX + length } : undefined;
}

/**
 * A file of resized images, the planes of one after those of the other, behind a header that says of which files they
 * are. It is written whole or not at all, and stays readable while another one takes its place.
 */
export class ImageShard {
  readonly images: readonly ShardEntry[];
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #offsets: readonly number[];

  private constructor(path: string, file: FileHandle, { header, end }: { header: Header; end: number }) {
    this.images = header.images;
    this.#path = path;
    this.#file = file;
    this.#offsets = layOut(end, header);
  }

  /** Opens the shard of the files `paths` at `size` pixels; undefined where none that is whole can be read. */
  static async open(path: string, paths: readonly string[], size: number): Promise<ImageShard | undefined> {
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'r');
      const found = await readHeader(file);
      const fits = found?.header.size === size && found.header.images.length === paths.length;
      if (fits && found.header.images.every((image, at) => image.path === paths[at])) {
        return new ImageShard(path, file, found);
      }
    } catch (error) {
      await file?.close();
      if (error instanceof Error && 'code' in error && UNREADABLE.has(String(error.code))) return undefined;
      throw fileError(error, 'read', path);
    }
    await file.close();
    return undefined;
  }

  /** Writes the shard of some images; `pixels` holds the planes of those that it stores. */
  static async write(path: string, size: number, images: ShardEntry[], pixels: readonly Uint8Array[]): Promise<void> {
    const text = new TextEncoder().encode(JSON.stringify({ format: SHARD_FORMAT, size, images } satisfies Header));
    const prefix = new Uint8Array(PREFIX);
    prefix.set(MAGIC);
    const view = new DataView(prefix.buffer);
    view.setUint32(8, text.length, true);
    view.setUint32(12, crc32(text), true);
    await nodeFiles.writeAtomic(path, [prefix, text, ...pixels]);
  }

  /** Writes the planes of image `index` into `target` from `offset` on. A damaged shard is removed, and an error. */
  async read(index: number, target: Uint8Array, offset: number): Promise<void> {
    const image = required(this.images[index], `image ${index} of a shard`);
    const start = this.#offsets[index] as number;
    const planes = target.subarray(offset, offset + (this.#offsets[index + 1] as number) - start);
    const isWhole = await readFully(this.#file, planes, start).catch((error: unknown) => {
      throw fileError(error, 'read', this.#path);
    });
    if (isWhole && 'crc32' in image && crc32(planes) === image.crc32) return;
    await unlink(this.#path).catch(() => {});
    throw new UserError(`${this.#path} is damaged and now removed: start again, and its images are decoded anew`);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
