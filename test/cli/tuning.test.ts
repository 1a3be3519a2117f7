import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Context } from '../../src/cli/command.ts';
import { createPlans } from '../../src/cli/train-plans.ts';
import { tuneRun } from '../../src/cli/tuning.ts';
import type { PackedSplit } from '../../src/data/packed.ts';
import { conv2d } from '../../src/kernels/conv2d/index.ts';
import type { Variant } from '../../src/kernels/definition.ts';
import type { ModelDefinition } from '../../src/models/definition.ts';
import { Model } from '../../src/models/model.ts';
import { AdamState } from '../../src/train/adam-state.ts';
import type { ChoicesFile } from '../../src/train/choices-file.ts';
import { temporaryFolder } from '../io/temporary.ts';
import { useDevice } from '../support/use-device.ts';

const device = useDevice();
const folder = temporaryFolder();
const own = conv2d.variants;
const cache = process.env.XDG_CACHE_HOME;

beforeEach(() => {
  process.env.XDG_CACHE_HOME = folder;
});
afterEach(() => {
  (conv2d as { variants: typeof own }).variants = own;
  if (cache === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = cache;
});

const definition: ModelDefinition = {
  name: 'tiny',
  title: 'Tiny',
  head: 'fc',
  smallestImage: 8,
  build(network, image, outputs) {
    const maps = network.conv2d('conv', image, { channels: 8, kernel: 3, padding: 1 });
    return { logits: network.linear('fc', network.globalAvgPool2d(maps), outputs), maps };
  },
};

const split = { split: { images: new Array(8).fill({}) }, channels: new Uint8Array(8).fill(1) };
const images = { train: split, valid: split } as unknown as { train: PackedSplit; valid: PackedSplit };
const settings = { image_size: 16, batch_size: 4, micro_batch: null, no_fuse: [] };
const none: ChoicesFile = { adapter: 'adapter', driver: 'driver', version: '1', choices: {}, wrong: [] };

test('a kernel that does not compile, and would end the run, is found out and left', async () => {
  const first = own.find(({ name }) => name === 'pixels');
  if (!first) throw new Error('conv2d has no variant pixels');
  const broken: Variant<never> = {
    ...first,
    name: 'broken',
    launches: (context) => first.launches(context).map((launch) => ({ ...launch, entry: 'no_such_entry' })),
  };
  (conv2d as { variants: readonly Variant<never>[] }).variants = [broken, ...own];
  const model = new Model(device(), definition);
  const adam = new AdamState(model);
  const plan = (choices: ChoicesFile) => createPlans(model, adam, images, { ...settings, choices }, () => {});
  await expect(plan(none)).rejects.toThrow('no_such_entry');
  const notes: string[] = [];
  const context = {
    note: (line: string) => notes.push(line),
    progress: () => ({ update: () => {}, end: () => {} }),
    interruption: () => new AbortController().signal,
  } as unknown as Context;
  const opened = { device: device() } as unknown as Parameters<typeof tuneRun>[0]['opened'];
  const before = { ...device().live };
  const tuned = await tuneRun({ definition, settings, opened, choices: none, context }, plan);
  expect(device().live).toEqual(before);
  expect(new Set(tuned.wrong.map(({ op, variant }) => `${op} ${variant}`))).toEqual(new Set(['conv2d broken']));
  expect(notes[0]).toMatch(/^looking for kernels that do not run: internal: .*no_such_entry.*$/);
  const { step, inference } = await plan(tuned);
  for (const { variant } of [...step.plans, inference.program.plan].flatMap(({ launches }) => launches)) {
    expect(variant).not.toBe('broken');
  }
  await Promise.all([step.destroy(), inference.destroy()]);
  adam.destroy();
  model.destroy();
});
