import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  /** The lines of stderr, without what the driver says of itself. */
  readonly stderr: readonly string[];
}

/** A command that runs as a user runs it: the built program in a process of its own. */
export interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** Where commands in `folder` keep what they tuned: not where the user's own are. */
export const cacheOf = (folder: string): string => join(folder, 'cache');

/** Starts `node SCRIPT WORDS...` in `folder`, on the adapter of this test run where the command takes one. */
export function startScript(script: string, folder: string, words: readonly string[]): Running {
  const child = spawn(process.execPath, [ROOT + script, ...words], {
    cwd: folder,
    env: { ...process.env, XDG_CACHE_HOME: cacheOf(folder) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('Warning: max'));
      resolve({ code, stdout, stderr: lines });
    });
  });
  return { process: child, ended };
}

const WITH_ADAPTER = new Set(['train', 'evaluate', 'predict', 'doctor', 'profile', 'bench']);

/** The words with the adapter that the tests run on, where it is named and the command takes one. */
function onTestAdapter(words: readonly string[]): readonly string[] {
  const adapter = process.env.MURAD_TEST_ADAPTER;
  return adapter && WITH_ADAPTER.has(words[0] ?? '') ? [...words, '--adapter', adapter] : words;
}

export const start = (folder: string, ...words: string[]): Running =>
  startScript('dist/cli/main.js', folder, onTestAdapter(words));

/** Runs a command in `folder` to its end. */
export const murad = (folder: string, ...words: string[]): Promise<Ended> => start(folder, ...words).ended;

/** A phantom set `set` in `folder`: 16 training and 4 validation studies. */
export async function makeSet(folder: string): Promise<void> {
  const { code, stderr } = await murad(folder, 'phantom', 'set', '--studies', '20', '--size', '48');
  if (code !== 0) throw new Error(stderr.join('\n'));
}

/** The smallest training that is one: 32 pixels are the least that DenseNet-121 takes. */
export const SMALL = '--data set --image-size 32 --batch-size 4'.split(' ');

/** What an adapter says of itself, taken out of the lines. */
export const withoutAdapter = (lines: readonly string[]): string[] =>
  lines.filter((line) => !line.startsWith('adapter: '));
