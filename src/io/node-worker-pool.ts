import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { InternalError, UserError } from '../base/errors.ts';
import type { Answer } from './node-worker-side.ts';

/**
 * A worker's script among the built files. tsc does not rewrite a worker's URL, so the TypeScript sources, as the tests
 * run them, start the script from dist/.
 */
export function workerScript(name: string): URL {
  const folder = import.meta.url.endsWith('.ts') ? '../../dist/io/' : './';
  return new URL(`${folder}${name}.js`, import.meta.url);
}

/** Runs jobs on one worker until none is left; resolves then, rejects where a job fails or the worker dies. */
function work<Job, Result>(
  worker: Worker,
  next: () => [number, Job] | undefined,
  done: (index: number, result: Result) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let current = -1;
    const send = () => {
      const job = next();
      if (!job) return resolve();
      current = job[0];
      worker.postMessage(job[1]);
    };
    worker.on('message', (answer: Answer<Result>) => {
      if ('refusal' in answer) return reject(new UserError(answer.refusal));
      if ('error' in answer) return reject(answer.error);
      try {
        done(current, answer.result);
        send();
      } catch (error) {
        reject(error);
      }
    });
    worker.on('messageerror', reject);
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new InternalError(`a worker thread ended with code ${code}`)));
    send();
  });
}

/**
 * Has worker threads do the jobs, as many as there are cores, each taking the next job when it is done with one.
 * `done` is called in the order of completion. The threads have ended when the promise settles, however it does;
 * aborting `signal` makes it reject with the signal's reason once a job in hand is done.
 */
export async function runJobs<Job, Result>(
  script: URL,
  jobs: readonly Job[],
  done: (index: number, result: Result) => void,
  signal?: AbortSignal,
): Promise<void> {
  let taken = 0;
  const next = (): [number, Job] | undefined => {
    signal?.throwIfAborted();
    return taken < jobs.length ? [taken, jobs[taken++] as Job] : undefined;
  };
  const count = Math.min(availableParallelism(), jobs.length);
  const workers = Array.from({ length: count }, () => new Worker(script));
  try {
    await Promise.all(workers.map((worker) => work<Job, Result>(worker, next, done)));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
