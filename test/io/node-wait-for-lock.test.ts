import { join } from 'node:path';
import { expect, test } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { type Lock, takeLock } from '../../src/io/node-lock.ts';
import { waitForLock } from '../../src/io/node-wait-for-lock.ts';
import { temporaryFolder } from './temporary.ts';

const path = join(temporaryFolder(), 'lock');

test('waits until the lock is released, and says once for whom', async () => {
  const first = (await takeLock(path)) as Lock;
  const told: number[] = [];
  const second = waitForLock(path, ({ pid }) => told.push(pid));
  await new Promise((resolve) => setTimeout(resolve, 500));
  await first.release();
  await (await second).release();
  expect(told).toEqual([process.pid]);
  await (await waitForLock(path, () => told.push(0))).release();
  expect(told).toHaveLength(1);
});

test('stops waiting where it is told to', async () => {
  const lock = (await takeLock(path)) as Lock;
  const control = new AbortController();
  const waiting = waitForLock(path, () => control.abort(new UserError('interrupted')), control.signal);
  await expect(waiting).rejects.toThrow('interrupted');
  await lock.release();
});
