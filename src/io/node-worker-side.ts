import { parentPort } from 'node:worker_threads';
import { required, UserError } from '../base/errors.ts';

/** What a worker answers to a job. A UserError goes as its message, since an error's class does not cross threads. */
export type Answer<Result> = { result: Result } | { refusal: string } | { error: unknown };

/** What a job gives, and the buffers that are handed over rather than copied. */
export interface Outcome<Result> {
  result: Result;
  buffers?: ArrayBuffer[];
}

/** Makes this worker thread do the jobs that runJobs sends it. */
export function serveJobs<Job, Result>(handle: (job: Job) => Promise<Outcome<Result>>): void {
  const port = required(parentPort, "a worker's port");
  port.on('message', async (job: Job) => {
    try {
      const { result, buffers } = await handle(job);
      port.postMessage({ result } satisfies Answer<Result>, buffers);
    } catch (error) {
      const answer: Answer<Result> = error instanceof UserError ? { refusal: error.message } : { error };
      port.postMessage(answer);
    }
  });
}
