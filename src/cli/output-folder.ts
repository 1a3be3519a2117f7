import { readdir, rmdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { makeWritableFolder } from '../io/node.ts';

export interface OutputFolder {
  /** Removes the folders that were made, as far as they are empty. */
  discard(): Promise<void>;
}

/** Makes a folder that can be written to; throws a UserError where that fails. */
export async function makeOutputFolder(path: string): Promise<OutputFolder> {
  const first = await makeWritableFolder(path);
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

/** Makes the folders of files to write; throws where that fails, before an hour is spent on what they are to hold. */
export async function makeFoldersOf(...files: (string | undefined)[]): Promise<void> {
  for (const file of files) if (file !== undefined) await makeWritableFolder(dirname(file));
}

/** The first runs/NAME-N that is free. */
export async function freeRunPath(name: string): Promise<string> {
  const taken = new Set(await readdir('runs').catch(() => []));
  let number = 1;
  while (taken.has(`${name}-${number}`)) number++;
  return `runs/${name}-${number}`;
}
