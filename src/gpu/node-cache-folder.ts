import { homedir } from 'node:os';
import { join } from 'node:path';

/** A folder for what is made once and kept for later runs; it may not exist yet. */
export const cacheFolder = (...names: string[]): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'murad', ...names);
