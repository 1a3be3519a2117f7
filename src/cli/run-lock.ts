import { UserError } from '../base/errors.ts';
import { type Lock, takeLock } from '../io/node-lock.ts';
import type { RunFolder } from '../train/run-folder.ts';

/** Keeps other processes from writing to a run folder; throws where one does. */
export async function lockRun(folder: RunFolder): Promise<Lock> {
  const file = folder.file('lock');
  const found = await takeLock(file);
  if ('release' in found) return found;
  const { pid, host } = found.owner;
  throw new UserError(
    `${folder.path} is in use by process ${pid} on ${host}: wait until it ends; if it is gone, remove ${file}`,
  );
}
