import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import type { Context } from '../../src/cli/command.ts';
import { createPlans, plansOf } from '../../src/cli/train-plans.ts';
import { tuneRun } from '../../src/cli/tuning.ts';
import type { PackedSplit } from '../../src/data/packed.ts';
import { sizeKey } from '../../src/graph/choices.ts';
import { adam as adamOp } from '../../src/kernels/adam.ts';
import { batchNormDataGradient } from '../../src/kernels/batch-norm/index.ts';
import { conv2d } from '../../src/kernels/conv2d/index.ts';
import type { Launch, OpDefinition, Variant } from '../../src/kernels/definition.ts';
import { avgPool2dBatchNormGradient } from '../../src/kernels/pool2d/index.ts';
import type { ModelDefinition } from '../../src/models/definition.ts';
import { Model } from '../../src/models/model.ts';
import { AdamState } from '../../src/train/adam-state.ts';
import type { ChoicesFile } from '../../src/train/choices-file.ts';
import { temporaryFolder } from '../io/temporary.ts';
import { useDevice } from '../support/use-device.ts';

const device = useDevice();
const folder = temporaryFolder();
const changeable: readonly OpDefinition[] = [adamOp, avgPool2dBatchNormGradient, conv2d];
const own = changeable.map(({ variants }) => variants);
const cache = process.env.XDG_CACHE_HOME;

/** Gives an op other variants until the test ends. */
function useVariants(op: OpDefinition, variants: OpDefinition['variants']): void {
  (op as { variants: OpDefinition['variants'] }).variants = variants;
}

beforeEach(() => {
  process.env.XDG_CACHE_HOME = folder;
});
afterEach(() => {
  for (const [index, op] of changeable.entries()) useVariants(op, own[index] ?? []);
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

/** With a pool whose gradient goes on through a normalisation, and dropout. */
const pooled: ModelDefinition = {
  ...definition,
  name: 'pooled',
  build(network, image, outputs) {
    const x = network.batchNorm('norm', network.conv2d('conv', image, { channels: 8, kernel: 3, padding: 1 }), {
      activation: 'relu',
    });
    const maps = network.avgPool2d('pool', x, { kernel: 2 });
    const features = network.dropout('dropout', network.globalAvgPool2d(maps), 0.2);
    return { logits: network.linear('fc', features, outputs), maps };
  },
};

/** Tunes a run of a network; `run` is handed what it does and the plans that it makes. */
async function tuneModel(
  network: ModelDefinition,
  run: (
    tune: () => Promise<ChoicesFile>,
    plan: (choices: ChoicesFile) => ReturnType<typeof createPlans>,
    notes: string[],
  ) => Promise<void>,
  more: { readonly micro_batch: number | null } = { micro_batch: null },
): Promise<void> {
  const model = new Model(device(), network);
  const adam = new AdamState(model);
  const plan = (choices: ChoicesFile) =>
    createPlans(model, adam, images, { ...settings, ...more, class_weights: true, choices }, () => {});
  const notes: string[] = [];
  const context = {
    note: (line: string) => notes.push(line),
    progress: () => ({ update: () => {}, end: () => {} }),
    interruption: () => new AbortController().signal,
  } as unknown as Context;
  const opened = { device: device() } as unknown as Parameters<typeof tuneRun>[0]['opened'];
  try {
    await run(() => tuneRun({ definition: network, settings, opened, choices: none, context }, plan), plan, notes);
  } finally {
    adam.destroy();
    model.destroy();
  }
}

test('a kernel that does not compile, and would end the run, is found out and left', async () => {
  const first = conv2d.variants.find(({ name }) => name === 'pixels');
  if (!first) throw new Error('conv2d has no variant pixels');
  const broken: Variant<never> = {
    ...first,
    name: 'broken',
    launches: (context) => first.launches(context).map((launch) => ({ ...launch, entry: 'no_such_entry' })),
  };
  useVariants(conv2d, [broken, ...conv2d.variants]);
  await tuneModel(definition, async (tune, plan, notes) => {
    await expect(plan(none)).rejects.toThrow('no_such_entry');
    const before = { ...device().live };
    const tuned = await tune();
    expect(device().live).toEqual(before);
    expect(new Set(tuned.wrong.map(({ op, variant }) => `${op} ${variant}`))).toEqual(new Set(['conv2d broken']));
    expect(notes[0]).toMatch(/^looking for kernels that do not run: internal: .*no_such_entry.*$/);
    const plans = await plan(tuned);
    for (const { variant } of plansOf(plans).flatMap(({ launches }) => launches)) expect(variant).not.toBe('broken');
    await Promise.all([plans.step.destroy(), plans.inference.destroy()]);
  });
});

/** The ops that plans run, and how many sizes of them. */
async function contentOf(made: ReturnType<typeof createPlans>) {
  const plans = await made;
  const nodes = plansOf(plans).flatMap(({ launches }) => launches.map(({ node }) => node));
  await Promise.all([plans.step.destroy(), plans.inference.destroy()]);
  return { ops: new Set(nodes.map(({ op }) => op)), sizes: new Set(nodes.map(sizeKey)).size };
}

test.each([null, 2])('every size of every op is checked, in micro-batches of %s', async (micro_batch) => {
  await tuneModel(
    pooled,
    async (tune, plan, notes) => {
      const { wrong } = await tune();
      const { ops, sizes } = await contentOf(plan(none));
      expect([...ops].map(({ name }) => name)).toEqual(
        expect.arrayContaining(['adam', 'augment', 'bce_with_logits', 'dropout', 'batch_norm_fold']),
      );
      expect(wrong).toEqual([]);
      expect(notes).toContainEqual(expect.stringMatching(new RegExp(`^checked ${sizes} sizes, tuned \\d+: `)));
    },
    { micro_batch },
  );
});

describe('an op whose only variant is wrong', () => {
  const wrongly = (op: OpDefinition, change: (launches: Launch[]) => Launch[]) =>
    useVariants(
      op,
      op.variants.map((one) => ({ ...one, launches: (context) => change(one.launches(context)) })),
    );

  test('is left out where only a fusion brings it in, and what is run instead is checked', async () => {
    // Sums of its parts are not added up.
    wrongly(avgPool2dBatchNormGradient, (launches) => launches.slice(0, 1));
    await tuneModel(pooled, async (tune, plan, notes) => {
      expect((await contentOf(plan(none))).ops).toContain(avgPool2dBatchNormGradient);
      const tuned = await tune();
      expect(tuned.wrong.map(({ op }) => op)).toEqual(['avg_pool2d_batch_norm_gradient']);
      expect(notes[0]).toMatch(
        /^avg_pool2d_batch_norm_gradient: the variant rows is wrong on this adapter and will not /,
      );
      expect(notes.filter((line) => line.startsWith('checked '))).toHaveLength(2);
      const { ops } = await contentOf(plan(tuned));
      expect(ops).not.toContain(avgPool2dBatchNormGradient);
      expect(ops).toContain(batchNormDataGradient);
    });
  });

  test('ends the run where it cannot do without, once it is told and kept', async () => {
    wrongly(adamOp, (launches) => [...launches, ...launches]);
    await tuneModel(pooled, async (tune, _plan, notes) => {
      const error = await tune().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(UserError);
      expect(String(error)).toContain('adam is computed wrong on this adapter by all that fit (elements)');
      expect(notes[0]).toMatch(/^adam: the variant elements is wrong on this adapter and will not be used: /);
      expect(notes.at(-1)).toMatch(/^the choices are kept in /);
    });
  });
});
