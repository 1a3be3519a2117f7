/** A worker thread that reads, decodes and resizes lists of images for node-workers.ts. */
import { type FailedImage, isFailed, type ReadImage } from '../data/packed.ts';
import { readImage } from './node-read-image.ts';
import { serveJobs } from './node-worker-side.ts';

export interface DecodeJob {
  directory: string;
  paths: readonly string[];
  /** Side in pixels of the squares that the images are resized to; undefined: their facts only. */
  size: number | undefined;
}

serveJobs(async ({ directory, paths, size }: DecodeJob) => {
  const result: (ReadImage | FailedImage)[] = [];
  for (const path of paths) result.push(await readImage(directory, path, size));
  const buffers = result.flatMap((image) => (isFailed(image) ? [] : [image.pixels.buffer as ArrayBuffer]));
  return { result, buffers };
});
