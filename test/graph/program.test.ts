import { expect, test } from 'vitest';
import { Graph } from '../../src/graph/graph.ts';
import { Program } from '../../src/graph/program.ts';
import { adam, STEP_WORDS } from '../../src/kernels/adam.ts';
import { useDevice } from '../support/use-device.ts';

const device = useDevice();

test('timing a program runs what it picks as often as it says, and profiling all once', async () => {
  const graph = new Graph();
  const [p, g, m, v] = ['p', 'g', 'm', 'v'].map((name) => graph.input(name, [4])) as [never, never, never, never];
  const step = graph.input('step', [STEP_WORDS], 'u32');
  graph.emit(adam, [p, g, m, v, step], {});
  const program = await Program.compile(device(), graph, { results: [m] });
  for (const tensor of [p, m, v]) program.write(tensor, new Float32Array(4));
  program.write(g, Float32Array.of(1, 1, 1, 1));
  const words = new Uint32Array(STEP_WORDS);
  // 1 - beta1 is a half: the first moment halves its distance to the gradient, 1, with each run.
  new Float32Array(words.buffer, 4).set([0, 1, 0.5, 0.5, 1, 1]);
  program.write(step, words);
  const moment = async () => new Float32Array(await program.read(m))[0];
  expect(await program.time(3)).toBeGreaterThan(0);
  expect(await moment()).toBe(1 - 2 ** -3);
  await program.time(5, () => false);
  expect(await moment()).toBe(1 - 2 ** -3);
  expect(await program.profile()).toHaveLength(1);
  expect(await moment()).toBe(1 - 2 ** -4);
  program.destroy();
});
