// One part of a benchmark in a process group of its own, with a time limit after which the whole group is killed. A part
// tells figures as lines `@JSON`; those that were told before it failed or was cut off are kept.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const TETHER = new URL('tether.mjs', import.meta.url).href;
/** What Dawn says at every start. */
const CHATTER = /^Warning: maxDynamic/;
/** A group that does not end when it is asked to is killed after so many milliseconds. */
const PATIENCE = 2000;

const running = new Set();

function signalGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Kills every process that a part has started. */
export function killAll() {
  for (const child of running) signalGroup(child, 'SIGKILL');
}

/** The words of a Node process that ends when this one does, however it ends. */
export const nodeCommand = (script, ...words) => [
  process.execPath,
  '--import',
  TETHER,
  fileURLToPath(new URL(`../../${script}`, import.meta.url)),
  ...words,
];

/**
 * Runs a command to its end or for so many seconds. Resolves, never rejects: the JSON of its lines that begin with @, its
 * other output, how long it took, and in `fault` why it did not end well.
 */
export function runChild([command, ...words], limitSeconds, note) {
  return new Promise((resolve) => {
    const start = performance.now();
    const child = spawn(command, words, { detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    running.add(child);
    child.stdin.on('error', () => {});
    const rows = [];
    const output = [];
    const said = [];
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('@')) output.push(line);
      else rows.push(JSON.parse(line.slice(1)));
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (CHATTER.test(line)) return;
      said.push(line);
      note(`  ${line}`);
    });
    let late = false;
    const limit = setTimeout(() => {
      late = true;
      signalGroup(child, 'SIGTERM');
      setTimeout(() => signalGroup(child, 'SIGKILL'), PATIENCE).unref();
    }, 1000 * limitSeconds);
    const end = (fault) => {
      if (!running.delete(child)) return;
      clearTimeout(limit);
      if (child.pid) signalGroup(child, 'SIGKILL');
      const seconds = (performance.now() - start) / 1000;
      resolve({ rows, output: output.join('\n'), said, seconds, fault });
    };
    child.on('error', (error) => end(error.message));
    child.on('close', (code, signal) => {
      if (late) end(`cut off after ${limitSeconds.toFixed(0)} s: ${said.at(-1) ?? 'it said nothing'}`);
      else if (code !== 0) end(`ended with ${signal ?? `code ${code}`}: ${said.at(-1) ?? 'it said nothing'}`);
      else end(undefined);
    });
  });
}
