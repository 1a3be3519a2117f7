/** A worker thread that decodes and resizes lists of images for node-image-cache.ts. */
import { type PackJob, packImages } from './node-read-image.ts';
import { serveJobs } from './node-worker-side.ts';

serveJobs(async (job: PackJob) => {
  const result = await packImages(job);
  const buffers = result.flatMap((image) => ('pixels' in image ? [image.pixels.buffer] : []));
  return { result, buffers };
});
