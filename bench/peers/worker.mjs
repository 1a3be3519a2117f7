// The side of a peer: a process that waits on stdin for what to do and answers with a line of JSON on stdout. While it
// waits it takes no CPU time, so that nobody runs beside the one that is measured.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** What the parent hands over: sizes, and a folder with the images and weights that every peer is given. */
export const config = JSON.parse(process.argv[2] ?? '{}');

export const fileOf = (name) => join(config.folder, name);

/** The normalised images as f32 [N,3,S,S]. */
export function readImages() {
  const bytes = readFileSync(fileOf('images.f32'));
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

const say = (message) => process.stdout.write(`@${JSON.stringify(message)}\n`);

/**
 * Serves the parent. `kinds`: for inference and training an async function that makes all ready and returns one that
 * runs so many steps and resolves to the last one's result (logits, or the loss) once all are done.
 */
export async function serve(about, kinds) {
  const ready = {};
  say({ ...about, kinds: Object.keys(kinds) });
  for await (const line of createInterface({ input: process.stdin })) {
    const { kind, steps } = JSON.parse(line);
    const start = performance.now();
    ready[kind] ??= await kinds[kind]();
    const result = await ready[kind](steps);
    const seconds = (performance.now() - start) / 1000;
    say({ seconds, result: [...result] });
  }
  process.exit();
}
