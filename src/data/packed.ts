import { required, UserError } from '../base/errors.ts';
import { type Split, withoutImages } from './mura.ts';

/** What a reader finds out about an image without keeping its pixels. */
export interface ImageFacts {
  /** Width of the file's image in pixels. */
  width: number;
  /** Height of the file's image in pixels. */
  height: number;
  channels: 1 | 3;
}

/** An image that cannot be read, and why. */
export interface FailedImage {
  path: string;
  reason: string;
}

export type OnProgress = (done: number, total: number) => void;

/**
 * Reads and decodes images below `directory`, in worker threads where the platform has them. Results come in the order
 * of `paths`; an image that cannot be read is a FailedImage, not an error.
 */
export type ImageReader = (
  directory: string,
  paths: readonly string[],
  onProgress?: OnProgress,
) => Promise<(ImageFacts | FailedImage)[]>;

/** Resized images as uint8 planes [channels, size, size], in memory or on a disk. */
export interface PixelSource {
  /** Writes the planes of the named images into `target`, those of each from its place in `offsets` on. */
  read(images: Uint32Array, target: Uint8Array, offsets: Uint32Array): Promise<void>;
  /** Gives back what the pixels are read from; nothing can be read afterwards. */
  close(): Promise<void>;
}

/** The images of a list of paths. */
export interface LoadedImages {
  /** For each path, in its order, the image's channels or why it cannot be read. */
  images: (Pick<ImageFacts, 'channels'> | FailedImage)[];
  /** The images by their place in the list. */
  pixels: PixelSource;
}

/** Makes the images below `directory` readable as squares of `size` pixels. */
export type ImageLoader = (
  directory: string,
  paths: readonly string[],
  size: number,
  onProgress?: OnProgress,
) => Promise<LoadedImages>;

/** A split whose images are decoded and resized. */
export interface PackedSplit {
  /** The split's records, without the images that failed. */
  split: Split;
  /** Side of the images in pixels. */
  size: number;
  /** The images of the split. */
  pixels: PixelSource;
  /** For each image of the split 1 (grey) or 3 (RGB). */
  channels: Uint8Array;
  failed: FailedImage[];
}

/** Images that lie in memory, for each its planes. */
export function memoryPixels(images: readonly Uint8Array[]): PixelSource {
  return {
    async read(wanted, target, offsets) {
      wanted.forEach((image, slot) => {
        target.set(required(images[image], `image ${image}`), offsets[slot]);
      });
    },
    async close() {},
  };
}

/** The unreadable images of `images` that are borne: more say that something is wrong with the folder. */
function toleratedFailures(images: number): number {
  const share = Math.max(1, Math.floor(images / 100));
  return Math.min(share, Math.max(0, images - 1));
}

/** Whether a reader's result is a failure. */
export function isFailed<T extends object>(result: T | FailedImage): result is FailedImage {
  return 'reason' in result;
}

function refuse(split: Split, failed: readonly FailedImage[]): never {
  const shown = failed.slice(0, 5).map(({ path, reason }) => `${path} (${reason})`);
  const more = failed.length > shown.length ? ', ...' : '';
  const share = `${failed.length} of ${split.images.length} images of ${split.name}`;
  const most = toleratedFailures(split.images.length);
  throw new UserError(`${share} cannot be read, expected at most ${most}: ${shown.join(', ')}${more}`);
}

/** The images at the places `kept` of a source. */
function selected(source: PixelSource, kept: Uint32Array): PixelSource {
  return {
    read: (images, target, offsets) =>
      source.read(
        images.map((image) => kept[image] as number),
        target,
        offsets,
      ),
    close: () => source.close(),
  };
}

/**
 * Loads the images of a split at `size` x `size` pixels. Images that cannot be read are left out and listed in `failed`;
 * more than 1 % of them and more than one, or all of them, is a UserError that names the first five.
 */
export async function packSplit(
  directory: string,
  split: Split,
  size: number,
  load: ImageLoader,
  onProgress?: OnProgress,
): Promise<PackedSplit> {
  const paths = split.images.map((image) => image.path);
  const { images, pixels } = await load(directory, paths, size, onProgress);
  const failed = images.filter(isFailed);
  if (failed.length > toleratedFailures(images.length)) {
    await pixels.close();
    refuse(split, failed);
  }
  const dropped = new Set<number>();
  const kept: number[] = [];
  const channels: number[] = [];
  for (const [index, image] of images.entries()) {
    if (isFailed(image)) dropped.add(index);
    else {
      kept.push(index);
      channels.push(image.channels);
    }
  }
  return {
    split: withoutImages(split, dropped),
    size,
    pixels: dropped.size === 0 ? pixels : selected(pixels, Uint32Array.from(kept)),
    channels: Uint8Array.from(channels),
    failed,
  };
}
