import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { readFile, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { parseObject } from '../base/json.ts';
import { fileError } from './node.ts';

/** Who holds a lock. */
export interface LockOwner {
  readonly pid: number;
  readonly host: string;
  /** When the process began, in the system's own unit; empty where the system does not tell. */
  readonly started: string;
  /** The boot of the machine and its table of processes: only within it can the process be looked for. */
  readonly system: string;
}

export interface Lock {
  release(): Promise<void>;
}

/** The owner touches its lock this often; one that cannot be looked for is given up after a longer silence. In milliseconds. */
const TOUCH = 15_000;
const SILENCE = 120_000;
/** A lock that says nothing may be one that is just being written. */
const WRITING = 200;

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

function orEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

function thisSystem(): string {
  const boot = orEmpty(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  return [boot, orEmpty(() => readlinkSync('/proc/self/ns/pid'))].join(' ');
}

/** When a process began (proc(5), field 22 of stat); empty where it is gone or only its exit code is left. */
function startOf(pid: number): string {
  const text = orEmpty(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  // The name before, in parentheses, may hold any character.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? '' : (fields[19] ?? '');
}

function isRunning({ pid, started }: LockOwner): boolean {
  if (started !== '') return startOf(pid) === started;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The owner of a lock, as far as it may still be at work; undefined where the lock is stale. */
async function ownerAtWork(file: string, text: string): Promise<LockOwner | undefined> {
  const owner = parseObject(text) as LockOwner | undefined;
  if (typeof owner?.pid !== 'number') return undefined;
  if (owner.host === hostname() && owner.system === thisSystem()) return isRunning(owner) ? owner : undefined;
  const touched = await stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  return Date.now() - touched > SILENCE ? undefined : owner;
}

function tryToMake(file: string, text: string): boolean {
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
  // Held up between making and writing, it may have been taken away as one that was cut off.
  return orEmpty(() => readFileSync(file, 'utf8')) === text;
}

/**
 * Takes away a lock that was found stale with this text, or says who is doing so. Only the holder of a second lock may:
 * else the slower of two that found the same one would take away what the faster has made since.
 */
async function takeAway(file: string, stale: string, text: string): Promise<LockOwner | undefined> {
  const second = `${file}.stale`;
  const other = await acquire(second, text);
  if (other) return other;
  try {
    if ((await textOf(file)) === stale) await rm(file, { force: true });
  } finally {
    await rm(second, { force: true });
  }
  return undefined;
}

async function acquire(file: string, text: string): Promise<LockOwner | undefined> {
  while (!tryToMake(file, text)) {
    let found = await textOf(file);
    if (found === '') {
      await wait(WRITING);
      found = await textOf(file);
    }
    if (found === undefined) continue;
    const owner = (await ownerAtWork(file, found)) ?? (await takeAway(file, found, text));
    if (owner) return owner;
  }
  return undefined;
}

/**
 * Takes the lock file `path`, or says who holds it. A lock whose process is gone, even by kill -9, is taken over; one of
 * another machine or container once it was not touched for two minutes.
 */
export async function takeLock(path: string): Promise<Lock | { owner: LockOwner }> {
  const { pid } = process;
  const own: LockOwner = { pid, host: hostname(), started: startOf(pid), system: thisSystem() };
  const text = `${JSON.stringify(own)}\n`;
  try {
    const owner = await acquire(path, text);
    if (owner) return { owner };
  } catch (error) {
    throw fileError(error, 'lock', path);
  }
  const timer = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), TOUCH).unref();
  return {
    async release() {
      clearInterval(timer);
      if ((await textOf(path).catch(() => undefined)) === text) await rm(path, { force: true });
    },
  };
}
