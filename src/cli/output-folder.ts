import { access, constants, mkdir, readdir, rmdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileError } from '../io/node.ts';

export interface OutputFolder {
  /** Removes the folders that were made, as far as they are empty. */
  discard(): Promise<void>;
}

/** Makes a folder that can be written to; throws a UserError where that fails. */
export async function makeOutputFolder(path: string): Promise<OutputFolder> {
  let made: string | undefined;
  try {
    made = await mkdir(path, { recursive: true });
    await access(path, constants.W_OK);
  } catch (error) {
    throw fileError(error, 'write to the folder', path);
  }
  const first = made;
  return {
    async discard() {
      if (first === undefined) return;
      try {
        for (let folder = resolve(path); folder.length >= resolve(first).length; folder = dirname(folder)) {
          await rmdir(folder);
        }
      } catch {
        // A folder that holds something stays.
      }
    },
  };
}

/** The first runs/NAME-N that is free. */
export async function freeRunPath(name: string): Promise<string> {
  const taken = new Set(await readdir('runs').catch(() => []));
  let number = 1;
  while (taken.has(`${name}-${number}`)) number++;
  return `runs/${name}-${number}`;
}
