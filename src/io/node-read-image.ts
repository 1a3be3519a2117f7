import { UserError } from '../base/errors.ts';
import { ImageError } from '../data/image.ts';
import type { FailedImage, ReadImage } from '../data/packed.ts';
import { resizeSquare } from '../data/resize.ts';
import { nodeFiles } from './node.ts';
import { nodeDecoder } from './node-png.ts';

/** Reads, decodes and resizes one image below `directory`; without `size` its pixels are left out. */
export async function readImage(directory: string, path: string, size?: number): Promise<ReadImage | FailedImage> {
  try {
    const image = await nodeDecoder.decode(await nodeFiles.readBytes(`${directory}/${path}`), path);
    const { width, height, channels } = image;
    return { width, height, channels, pixels: size === undefined ? new Uint8Array() : resizeSquare(image, size) };
  } catch (error) {
    if (error instanceof ImageError) return { path, reason: error.reason };
    if (error instanceof UserError) return { path, reason: error.message };
    throw error;
  }
}
