import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type Lock, type LockOwner, takeLock } from '../../src/io/node-lock.ts';
import { temporaryFolder } from './temporary.ts';

const folder = temporaryFolder();
const path = join(folder, 'lock');
const taken: Lock[] = [];

async function take(): Promise<Lock | { owner: LockOwner }> {
  const found = await takeLock(path);
  if ('release' in found) taken.push(found);
  return found;
}

/** What this process would write, changed. */
async function lockOf(change: Partial<LockOwner>): Promise<string> {
  const lock = (await take()) as Lock;
  const own = JSON.parse(readFileSync(path, 'utf8')) as LockOwner;
  await lock.release();
  return JSON.stringify({ ...own, ...change });
}

afterEach(async () => {
  for (const lock of taken.splice(0)) await lock.release();
  expect(readdirSync(folder)).toEqual([]);
});

/** The number of a process that has ended. */
const ended = (): number => spawnSync(process.execPath, ['--version']).pid;

test('a second taker is told who holds it, until it is released', async () => {
  const lock = (await take()) as Lock;
  expect(await take()).toMatchObject({ owner: { pid: process.pid, host: expect.stringMatching(/./) } });
  await lock.release();
  expect(existsSync(path)).toBe(false);
  expect(await take()).toHaveProperty('release');
});

test.each([
  ['of a process that has ended', () => lockOf({ pid: ended() })],
  ['of another process with the same number', () => lockOf({ started: '1' })],
  ['that was cut off before it was written', async () => ''],
  ['that holds something else', async () => 'x'],
])('a lock %s is taken over', async (_, text) => {
  writeFileSync(path, await text());
  expect(await take()).toHaveProperty('release');
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid });
});

test.each([{ host: 'elsewhere' }, { system: 'another container' }])(
  'a lock of %o is respected while it is touched',
  async (place) => {
    writeFileSync(path, await lockOf({ ...place, pid: 1 }));
    expect(await take()).toMatchObject({ owner: { ...place, pid: 1 } });
    const long = new Date(Date.now() - 130_000);
    utimesSync(path, long, long);
    expect(await take()).toHaveProperty('release');
  },
);

test('of many takers of a stale lock one gets it, every time', async () => {
  const stale = await lockOf({ pid: ended() });
  for (let round = 0; round < 100; round++) {
    writeFileSync(path, stale);
    const found = await Promise.all(Array.from({ length: 8 }, () => take()));
    expect(found.filter((one) => 'release' in one)).toHaveLength(1);
    for (const lock of taken.splice(0)) await lock.release();
  }
});

test('a process that ended while it took a stale lock away is no obstacle', async () => {
  const stale = await lockOf({ pid: ended() });
  writeFileSync(path, stale);
  writeFileSync(`${path}.stale`, stale);
  expect(await take()).toHaveProperty('release');
  expect(readdirSync(folder)).toEqual(['lock']);
});

test('a lock that cannot be written is an error', async () => {
  await expect(takeLock(join(folder, 'nowhere', 'lock'))).rejects.toThrow(/^cannot lock .+: no such file or folder$/);
});
