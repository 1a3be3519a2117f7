import type { FailedImage, ImageFacts, ImageReader } from '../data/packed.ts';
import type { DecodeJob } from './node-decode-worker.ts';
import { readImage } from './node-read-image.ts';
import { runJobs, workerScript } from './node-worker-pool.ts';

/** Images a job: few enough for even work and smooth progress, enough to make messages cheap. */
export const JOB_IMAGES = 16;

/** Reads images in worker threads, one a core; a single image is read in this thread. */
export const nodeImageReader: ImageReader = async (directory, paths, onProgress) => {
  if (paths.length === 1) {
    const results = await Promise.all(paths.map((path) => readImage(directory, path)));
    onProgress?.(1, 1);
    return results;
  }
  const results = new Array<ImageFacts | FailedImage>(paths.length);
  const jobs: DecodeJob[] = [];
  for (let start = 0; start < paths.length; start += JOB_IMAGES) {
    jobs.push({ directory, paths: paths.slice(start, start + JOB_IMAGES) });
  }
  let done = 0;
  await runJobs(workerScript('node-decode-worker'), jobs, (job, images: (ImageFacts | FailedImage)[]) => {
    for (const [i, image] of images.entries()) results[job * JOB_IMAGES + i] = image;
    done += images.length;
    onProgress?.(done, paths.length);
  });
  return results;
};
