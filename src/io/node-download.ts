import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { open, rename, stat, unlink } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { EnvHttpProxyAgent, fetch, type Response } from 'undici';
import { UserError } from '../base/errors.ts';
import { fileError } from './node.ts';
import { type Lock, takeLock } from './node-lock.ts';

/** Tries of a transfer that breaks off or that the server puts off, each going on where the last one ended. */
const TRIES = 4;
/** Milliseconds before the second try; twice as many before each later one. */
const PAUSE = 500;
/** A server that sends nothing for so many milliseconds is given up. */
const SILENCE = 60_000;

export interface DownloadOptions {
  /** Where it goes; what has arrived of it lies in `file.part` until it is whole. */
  readonly file: string;
  /** What the SHA-256 of the content begins with, in hexadecimal digits. */
  readonly sha256: string;
  /** `total` is undefined where the server does not tell. */
  onProgress?(bytes: number, total: number | undefined): void;
  readonly signal?: AbortSignal;
}

/** A fault of the transfer that another try may not have. */
class Interrupted extends Error {}

/** The SHA-256 of a file in hexadecimal digits. */
export async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  } catch (error) {
    throw fileError(error, 'read', file);
  }
  return hash.digest('hex');
}

const sizeOf = (file: string): Promise<number> =>
  stat(file).then(
    ({ size }) => size,
    () => 0,
  );

/** What went wrong below: fetch says no more than `fetch failed`. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message;
  return cause instanceof Error ? cause.message : String(cause);
}

/** The bytes that a response begins after, and those of the whole file. */
function rangeOf({ status, headers }: Response, asked: number): { start: number; total: number | undefined } {
  const length = Number(headers.get('content-length')) || undefined;
  if (status !== 206) return { start: 0, total: length };
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '') ?? [];
  if (Number(start) !== asked) throw new Interrupted(`the server sends bytes from ${start}, not from ${asked} on`);
  return { start: asked, total: Number(total) || undefined };
}

/** What a task on the disk gives; its fault is a UserError. */
async function onDisk<T>(path: string, task: Promise<T>): Promise<T> {
  try {
    return await task;
  } catch (error) {
    throw fileError(error, 'write', path);
  }
}

/** Writes the body of a response into a file that holds `asked` bytes of it. */
async function receive(response: Response, path: string, asked: number, options: DownloadOptions): Promise<void> {
  const { start, total } = rangeOf(response, asked);
  const part = await onDisk(path, open(path, constants.O_RDWR | constants.O_CREAT));
  try {
    await onDisk(path, part.truncate(start));
    let done = start;
    options.onProgress?.(done, total);
    for await (const chunk of response.body ?? []) {
      let bytes = chunk as Uint8Array;
      while (bytes.length > 0) {
        const { bytesWritten } = await onDisk(path, part.write(bytes, 0, bytes.length, done));
        done += bytesWritten;
        bytes = bytes.subarray(bytesWritten);
      }
      options.onProgress?.(done, total);
    }
    if (total !== undefined && done !== total) throw new Interrupted(`it ended after ${done} of ${total} bytes`);
    await onDisk(path, part.sync());
  } finally {
    await part.close();
  }
}

/** One try; goes on behind what has arrived. Throws Interrupted where another one may do better. */
async function tryOnce(url: string, options: DownloadOptions, agent: EnvHttpProxyAgent): Promise<void> {
  const path = `${options.file}.part`;
  const asked = await sizeOf(path);
  const headers = { 'accept-encoding': 'identity', ...(asked > 0 ? { range: `bytes=${asked}-` } : {}) };
  const { signal } = options;
  try {
    const response = await fetch(url, { dispatcher: agent, headers, ...(signal ? { signal } : {}) });
    const { status, statusText, ok } = response;
    if (ok) return await receive(response, path, asked, options);
    await response.body?.cancel();
    // All of it, or more, is there: the checksum tells.
    if (status === 416 && asked > 0) return;
    const answer = `the server answers ${status} ${statusText}`.trimEnd();
    throw status >= 500 || status === 429 ? new Interrupted(answer) : new UserError(`cannot fetch ${url}: ${answer}`);
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof UserError || error instanceof Interrupted ? error : new Interrupted(reasonOf(error));
  }
}

async function receiveAll(url: string, options: DownloadOptions): Promise<void> {
  const agent = new EnvHttpProxyAgent({ headersTimeout: SILENCE, bodyTimeout: SILENCE });
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        return await tryOnce(url, options, agent);
      } catch (error) {
        if (!(error instanceof Interrupted)) throw error;
        if (attempt === TRIES) {
          const there = await sizeOf(`${options.file}.part`);
          const next = there > 0 ? `; ${there} bytes are kept, and the same command goes on with them` : '';
          throw new UserError(`cannot fetch ${url}: ${error.message}${next}`);
        }
      }
      await wait(PAUSE * 2 ** (attempt - 1));
      options.signal?.throwIfAborted();
    }
  } finally {
    await agent.destroy();
  }
}

async function lockOf(file: string): Promise<Lock> {
  const found = await takeLock(`${file}.lock`);
  if ('release' in found) return found;
  throw new UserError(`process ${found.owner.pid} is fetching ${file}: wait for it`);
}

/**
 * Downloads a file over HTTP, through the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name, and returns its SHA-256.
 * A transfer that breaks off goes on where it ended, now or the next time. The file appears when it is whole and its
 * checksum is right; otherwise, nothing of it is kept, and that is a UserError.
 */
export async function download(url: string, options: DownloadOptions): Promise<string> {
  const { file, sha256 } = options;
  const part = `${file}.part`;
  const lock = await lockOf(file);
  try {
    const resumed = (await sizeOf(part)) > 0;
    await receiveAll(url, options);
    let found = await hashFile(part);
    if (!found.startsWith(sha256) && resumed) {
      // What was there may be of another file.
      await unlink(part);
      await receiveAll(url, options);
      found = await hashFile(part);
    }
    if (!found.startsWith(sha256)) {
      await unlink(part);
      throw new UserError(`${url} has the SHA-256 ${found}, expected one that begins with ${sha256}: nothing is kept`);
    }
    await rename(part, file);
    return found;
  } catch (error) {
    throw fileError(error, 'write', file);
  } finally {
    await lock.release();
  }
}
