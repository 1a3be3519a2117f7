import { UserError } from '../base/errors.ts';
import { type Split, withoutImages } from './mura.ts';

/** An image as a reader hands it over. */
export interface ReadImage {
  /** Width of the file's image in pixels. */
  width: number;
  /** Height of the file's image in pixels. */
  height: number;
  channels: 1 | 3;
  /** Planes [channels, size, size]; empty where the reader was asked for facts only. */
  pixels: Uint8Array;
}

/** An image that cannot be read, and why. */
export interface FailedImage {
  path: string;
  reason: string;
}

export interface ReadOptions {
  /** Side in pixels of the squares that images are resized to; without it only the facts are wanted. */
  size?: number;
  onProgress?: (done: number, total: number) => void;
}

/**
 * Reads, decodes and resizes images below `directory`, in worker threads where the platform has them. Results come in
 * the order of `paths`; an image that cannot be read is a FailedImage, not an error.
 */
export type ImageReader = (
  directory: string,
  paths: readonly string[],
  options?: ReadOptions,
) => Promise<(ReadImage | FailedImage)[]>;

/** A split decoded and resized, in memory. */
export interface PackedSplit {
  /** The split's records, without the images that failed. */
  split: Split;
  /** Side of the images in pixels. */
  size: number;
  /** For each image of the split its planes: uint8 [channels, size, size]. */
  pixels: Uint8Array[];
  /** For each image of the split 1 (grey) or 3 (RGB). */
  channels: Uint8Array;
  failed: FailedImage[];
}

/** The unreadable images of `images` that are borne: more say that something is wrong with the folder. */
function toleratedFailures(images: number): number {
  const share = Math.max(1, Math.floor(images / 100));
  return Math.min(share, Math.max(0, images - 1));
}

/** Whether a reader's result is a failure. */
export function isFailed(result: ReadImage | FailedImage): result is FailedImage {
  return 'reason' in result;
}

function refuse(split: Split, failed: readonly FailedImage[]): never {
  const shown = failed.slice(0, 5).map(({ path, reason }) => `${path} (${reason})`);
  const more = failed.length > shown.length ? ', ...' : '';
  const share = `${failed.length} of ${split.images.length} images of ${split.name}`;
  const most = toleratedFailures(split.images.length);
  throw new UserError(`${share} cannot be read, expected at most ${most}: ${shown.join(', ')}${more}`);
}

/**
 * Reads the images of a split at `size` x `size` pixels. Images that cannot be read are left out and listed in `failed`;
 * more than 1 % of them and more than one, or all of them, is a UserError that names the first five.
 */
export async function packSplit(
  directory: string,
  split: Split,
  size: number,
  read: ImageReader,
  onProgress?: (done: number, total: number) => void,
): Promise<PackedSplit> {
  const paths = split.images.map((image) => image.path);
  const results = await read(directory, paths, { size, ...(onProgress && { onProgress }) });
  const failed: FailedImage[] = [];
  const dropped = new Set<number>();
  const kept: ReadImage[] = [];
  for (const [index, result] of results.entries()) {
    if (isFailed(result)) {
      failed.push(result);
      dropped.add(index);
    } else kept.push(result);
  }
  if (failed.length > toleratedFailures(split.images.length)) refuse(split, failed);
  return {
    split: withoutImages(split, dropped),
    size,
    pixels: kept.map((image) => image.pixels),
    channels: Uint8Array.from(kept, (image) => image.channels),
    failed,
  };
}
