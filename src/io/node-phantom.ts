import { mkdtemp, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { UserError } from '../base/errors.ts';
import {
  type PhantomBox,
  type PhantomOptions,
  phantomBoxesFile,
  phantomImageFiles,
  phantomIndexFiles,
  planPhantom,
} from '../data/phantom/index.ts';
import { fileError, nodeFiles } from './node.ts';
import type { PhantomJob } from './node-phantom-worker.ts';
import { runJobs, workerScript } from './node-worker-pool.ts';

export interface WritePhantomOptions extends PhantomOptions {
  /** Longer side of the images in pixels. */
  readonly size: number;
  readonly onProgress?: (done: number, total: number) => void;
  /** Aborting it ends the writing; nothing is left behind. */
  readonly signal?: AbortSignal;
}

/** Images a job. */
const JOB_IMAGES = 8;

/** Writes the data set's files below `root`, which stands for the folder `name` that the paths begin with. */
async function writeFiles(root: string, name: string, options: WritePhantomOptions): Promise<number> {
  const studies = planPhantom(options);
  const images = phantomImageFiles(name, studies);
  const place = (path: string) => root + path.slice(name.length);
  for (const folder of new Set(images.map(({ path }) => dirname(place(path))))) await nodeFiles.makeDirectory(folder);
  const jobs: PhantomJob[] = [];
  for (let start = 0; start < images.length; start += JOB_IMAGES) {
    const part = images.slice(start, start + JOB_IMAGES);
    const toWrite = part.map(({ path, study, view }) => ({ file: place(path), study, view }));
    jobs.push({ images: toWrite, size: options.size });
  }
  const boxes = new Array<readonly PhantomBox[]>(images.length);
  let done = 0;
  const collect = (job: number, found: (readonly PhantomBox[])[]) => {
    for (const [i, own] of found.entries()) boxes[job * JOB_IMAGES + i] = own;
    done += found.length;
    options.onProgress?.(done, images.length);
  };
  await runJobs(workerScript('node-phantom-worker'), jobs, collect, options.signal);
  for (const file of [...phantomIndexFiles(name, studies), phantomBoxesFile(name, images, boxes)]) {
    await nodeFiles.writeAtomic(place(file.path), file.text);
  }
  return images.length;
}

/**
 * Writes a phantom data set in MURA's layout as the folder `directory`, which must not exist or be empty, in one thread
 * a core. The folder appears when it is complete: a failure or an abort leaves nothing. Returns the number of images.
 */
export async function writePhantom(directory: string, options: WritePhantomOptions): Promise<number> {
  const target = resolve(directory);
  const name = basename(target);
  const isThere = await nodeFiles.exists(target);
  if (isThere && (await nodeFiles.list(target)).length > 0) {
    throw new UserError(`${directory} is not empty: name a new folder for the phantom data set, or empty this one`);
  }
  await nodeFiles.makeDirectory(dirname(target));
  const aside = await mkdtemp(`${target}.`).catch((error: unknown) => {
    throw fileError(error, 'write', directory);
  });
  try {
    const images = await writeFiles(aside, name, options);
    if (isThere) await rmdir(target);
    await rename(aside, target);
    return images;
  } catch (error) {
    throw fileError(error, 'write', directory);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}
