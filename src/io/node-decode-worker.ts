/** A worker thread that reads and decodes lists of images for node-workers.ts. */
import type { FailedImage, ImageFacts } from '../data/packed.ts';
import { readImage } from './node-read-image.ts';
import { serveJobs } from './node-worker-side.ts';

export interface DecodeJob {
  directory: string;
  paths: readonly string[];
}

serveJobs(async ({ directory, paths }: DecodeJob) => {
  const result: (ImageFacts | FailedImage)[] = [];
  for (const path of paths) result.push(await readImage(directory, path));
  return { result };
});
