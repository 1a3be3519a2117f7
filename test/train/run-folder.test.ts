import { describe, expect, test } from 'vitest';
import type { ModelDefinition } from '../../src/models/definition.ts';
import { Model } from '../../src/models/model.ts';
import { AdamState } from '../../src/train/adam-state.ts';
import { startOfRun } from '../../src/train/loop.ts';
import { RunFolder } from '../../src/train/run-folder.ts';
import { type EpochMetrics, type RunProgress, unpackState } from '../../src/train/run-state.ts';
import { readSafetensors } from '../../src/weights/safetensors.ts';
import { memoryFiles } from '../data/memory-files.ts';
import { useDevice } from '../support/use-device.ts';
import { writtenFiles } from './written-files.ts';

test.each([
  ['an older config, whose batches ran whole', { batch_size: 16 }, 16],
  ['a config with micro-batches', { batch_size: 16, micro_batch: 4 }, 4],
])('%s', async (_, sizes, microBatch) => {
  const config = JSON.stringify({ model: 'densenet121', image_size: 320, ...sizes });
  const folder = new RunFolder(memoryFiles({ 'runs/one/config.json': config }), 'runs/one');
  expect(await folder.readConfig()).toMatchObject({ batch_size: 16, micro_batch: microBatch });
});

test('an older config has none of the later options', async () => {
  const config = JSON.stringify({ model: 'densenet121', image_size: 320, batch_size: 16, freeze: 'features' });
  const folder = new RunFolder(memoryFiles({ 'runs/one/config.json': config }), 'runs/one');
  expect(await folder.readConfig()).toMatchObject({
    freeze: 'features',
    freeze_epochs: null,
    dropout: null,
    class_weights: false,
    early_stop: null,
    save_minutes: 10,
    normalisation: 'imagenet',
    no_fuse: [],
  });
});

describe('the files of a run', () => {
  const device = useDevice();
  const SIZE = 8;
  const definition: ModelDefinition = {
    name: 'small',
    title: 'Small',
    head: 'fc',
    smallestImage: SIZE,
    build(network, image, outputs) {
      const maps = network.conv2d('conv', image, { channels: 4, kernel: 3, padding: 1 });
      return { logits: network.linear('fc', network.globalAvgPool2d(maps), outputs), maps };
    },
  };

  /** A run after `epoch` epochs and `batch` steps; the best of them is `best`. */
  const progressAt = (epoch: number, batch: number, best: number): RunProgress => ({
    ...startOfRun(1e-3),
    epoch,
    batch,
    best: { epoch: best, value: -best },
    history: Array.from({ length: epoch }, (_, index) => ({ epoch: index + 1 }) as EpochMetrics),
  });

  /** Puts other weights into the model, drawn from `mark`. */
  async function mark(model: Model, seed: number): Promise<void> {
    const other = new Model(device(), definition, { seed });
    model.load('other', await other.stateDict());
    other.destroy();
  }

  /** Runs `body` with a folder of files in memory, a model and its optimiser, and frees them. */
  async function withRun(
    body: (run: {
      files: ReturnType<typeof writtenFiles>;
      folder: RunFolder;
      model: Model;
      adam: AdamState;
    }) => Promise<void>,
  ): Promise<void> {
    const files = writtenFiles();
    const model = new Model(device(), definition);
    const adam = new AdamState(model);
    try {
      await body({ files, folder: new RunFolder(files, 'run'), model, adam });
    } finally {
      adam.destroy();
      model.destroy();
    }
  }

  const SAVES = [
    progressAt(1, 0, 1),
    progressAt(1, 3, 1),
    progressAt(2, 0, 2),
    progressAt(3, 0, 2),
    progressAt(3, 2, 2),
  ];
  /** state, best, last and metrics, or no best. */
  const WRITES = [4, 3, 4, 3, 3];

  /** Each save with weights of its own; returns how many were begun when a write failed. */
  async function saveAll({
    folder,
    model,
    adam,
  }: {
    folder: RunFolder;
    model: Model;
    adam: AdamState;
  }): Promise<number> {
    for (const [index, progress] of SAVES.entries()) {
      await mark(model, index);
      adam.steps = index;
      try {
        await folder.save(model, adam, progress, SIZE);
      } catch {
        return index + 1;
      }
    }
    return SAVES.length;
  }

  const texts = (files: ReturnType<typeof writtenFiles>) =>
    new Map([...files.contents].map(([path, bytes]) => [path, Buffer.from(bytes).toString('base64')]));

  const total = WRITES.reduce((sum, count) => sum + count, 0);
  test.each(Array.from({ length: total }, (_, cut) => cut))(
    'are those of the last state after a run ends at write %i',
    async (cut) => {
      await withRun(async (run) => {
        run.files.failsAfter = cut;
        await saveAll(run);
        run.files.failsAfter = Number.POSITIVE_INFINITY;
        const state = await run.folder.readState();
        if (!state) return expect(cut).toBe(0);
        const saved = unpackState('state', state, run.model, run.adam);
        expect(await run.folder.restore(run.model, saved, SIZE)).toEqual(saved);
        const restored = texts(run.files);
        await withRun(async (other) => {
          const index = SAVES.findIndex(({ epoch, batch }) => epoch === saved.epoch && batch === saved.batch);
          other.files.failsAfter = WRITES.slice(0, index + 1).reduce((sum, count) => sum + count, 0);
          await saveAll(other);
          expect(restored).toEqual(texts(other.files));
        });
        return undefined;
      });
    },
  );

  test('keep the best weights, told by the state alone', async () => {
    await withRun(async (run) => {
      expect(await saveAll(run)).toBe(SAVES.length);
      const { tensors } = readSafetensors('best', await run.files.readBytes('run/best.safetensors'));
      await mark(run.model, 2);
      const expected = await run.model.stateDict();
      expect(tensors.get('conv.weight')?.data).toEqual(expected.get('conv.weight')?.data);
      const lines = (await run.files.readText('run/metrics.jsonl')).trimEnd().split('\n');
      expect(lines.map((line) => JSON.parse(line).epoch)).toEqual([1, 2, 3]);
    });
  });

  test('a best epoch whose weights are gone is forgotten, and what a killed run half wrote is removed', async () => {
    await withRun(async ({ files, folder, model, adam }) => {
      await folder.save(model, adam, progressAt(1, 0, 1), SIZE);
      await folder.save(model, adam, progressAt(1, 3, 1), SIZE);
      await files.remove('run/best.safetensors');
      for (const name of ['state.safetensors.0a1b.tmp', 'predictions.csv.0a1b.tmp', 'notes.tmp']) {
        await files.writeAtomic(`run/${name}`, '');
      }
      expect(await folder.restore(model, progressAt(1, 3, 1), SIZE)).toEqual({ ...progressAt(1, 3, 1), best: null });
      await folder.removeLeftovers();
      expect(await files.list('run')).toEqual([
        'state.safetensors',
        'last.safetensors',
        'metrics.jsonl',
        'predictions.csv.0a1b.tmp',
        'notes.tmp',
      ]);
    });
  });

  test('where it stands is read from the state alone', async () => {
    await withRun(async ({ folder, model, adam }) => {
      expect(await folder.readProgress('small')).toBeUndefined();
      await folder.save(model, adam, progressAt(2, 5, 1), SIZE);
      expect(await folder.readProgress('small')).toEqual(progressAt(2, 5, 1));
      await expect(folder.readProgress('large')).rejects.toThrow(
        'run/state.safetensors: expected the state of a large run but it is one of small: resume the run folder it belongs to',
      );
    });
  });
});
