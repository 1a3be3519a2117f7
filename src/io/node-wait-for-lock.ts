import { setTimeout as wait } from 'node:timers/promises';
import { type Lock, type LockOwner, takeLock } from './node-lock.ts';

/** Between two looks at a lock, in milliseconds. */
const POLL = 200;

/** Takes a lock, waiting while another process holds it: `onWait` is called once. Aborting `signal` ends the wait. */
export async function waitForLock(
  path: string,
  onWait: (owner: LockOwner) => void,
  signal?: AbortSignal,
): Promise<Lock> {
  for (let waited = false; ; waited = true) {
    const found = await takeLock(path);
    if ('release' in found) return found;
    if (!waited) onWait(found.owner);
    signal?.throwIfAborted();
    await wait(POLL);
    signal?.throwIfAborted();
  }
}
