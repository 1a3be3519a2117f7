import { afterAll, describe, expect, test } from 'vitest';
import { OutOfMemoryError } from '../../src/base/errors.ts';
import { createPlans } from '../../src/cli/train-plans.ts';
import type { PackedSplit } from '../../src/data/packed.ts';
import type { Device } from '../../src/gpu/device.ts';
import type { ModelDefinition } from '../../src/models/definition.ts';
import { Model } from '../../src/models/model.ts';
import { AdamState } from '../../src/train/adam-state.ts';
import { openTestDevice } from '../support/device.ts';

const SIZE = 64;

/** Most of its memory is the maps of its two convolutions: 1 MiB an image each. */
const wide = (normalises: boolean): ModelDefinition => ({
  name: 'wide',
  title: 'Wide',
  head: 'fc',
  smallestImage: 8,
  build(network, image, outputs) {
    const options = { channels: 64, kernel: 3, padding: 1 };
    let x = network.conv2d('conv1', image, options);
    x = normalises ? network.batchNorm('norm', x, { activation: 'relu' }) : network.activate(x, 'relu');
    const maps = network.conv2d('conv2', x, options);
    return { logits: network.linear('fc', network.globalAvgPool2d(maps), outputs), maps };
  },
});

/** As much of a split as the plans look at. */
const split = (images: number): PackedSplit =>
  ({
    split: { images: new Array(images).fill({}) },
    channels: new Uint8Array(images).fill(1),
  }) as unknown as PackedSplit;

interface Asked {
  readonly batch: number | 'auto';
  readonly micro?: number;
  readonly count?: number;
  readonly normalises?: boolean;
}

const opened: Device[] = [];
afterAll(() => {
  for (const device of opened) device.destroy();
});

/**
 * The plans of a device of so many bytes: a step's sizes, the images that are read at once, the bytes in use and what
 * was told. Whatever comes of it, it leaves nothing allocated.
 */
async function planned(memoryBytes: number, { batch, micro, count = 1000, normalises = true }: Asked) {
  const device = await openTestDevice({ memoryBytes });
  opened.push(device);
  const model = new Model(device, wide(normalises));
  const adam = new AdamState(model);
  const notes: string[] = [];
  try {
    const settings = { image_size: SIZE, batch_size: batch, micro_batch: micro ?? null, no_fuse: [] };
    const images = { train: split(count), valid: split(40) };
    const { step, inference } = await createPlans(model, adam, images, settings, (line) => notes.push(line));
    const { batchSize, microBatch } = step;
    const found = { batchSize, microBatch, read: inference.options.batchSize, bytes: device.live.bytes, notes };
    await Promise.all([step.destroy(), inference.destroy()]);
    return found;
  } finally {
    adam.destroy();
    model.destroy();
    expect(device.live).toEqual({ buffers: 0, bytes: 0 });
  }
}

const PLENTY = 2 ** 30;

/** What a step of such micro-batches takes. */
const roomFor = async (asked: Asked & { readonly micro: number }) => (await planned(PLENTY, asked)).bytes;

describe('a batch that fits', () => {
  test('runs whole', async () => {
    expect(await planned(PLENTY, { batch: 8 })).toMatchObject({ batchSize: 8, microBatch: 8, read: 16, notes: [] });
  });

  test('is told where it is chosen', async () => {
    expect(await planned(PLENTY, { batch: 'auto', count: 200 })).toMatchObject({
      batchSize: 64,
      microBatch: 64,
      read: 16,
      notes: ['--batch-size auto: 64 images a step'],
    });
  });
});

describe('a batch that does not fit', () => {
  test('runs in the largest micro-batches that do', async () => {
    const room = await roomFor({ batch: 12, micro: 4 });
    const { batchSize, microBatch, read, bytes, notes } = await planned(room, { batch: 12 });
    expect({ batchSize, microBatch, read, bytes }).toEqual({ batchSize: 12, microBatch: 4, read: 4, bytes: room });
    expect(notes).toEqual(["a step of 12 images runs as 3 x 4; batch norm's statistics are per 4 images"]);
    expect((await planned(room - 1, { batch: 12 })).microBatch).toBeLessThan(4);
  });

  test('says nothing of statistics where there are none', async () => {
    const room = await roomFor({ batch: 12, micro: 4, normalises: false });
    const { notes } = await planned(room, { batch: 12, normalises: false });
    expect(notes).toEqual(['a step of 12 images runs as 3 x 4']);
  });

  test('that auto chose runs as 16 images a step', async () => {
    const room = await roomFor({ batch: 16, micro: 4 });
    const { batchSize, microBatch, notes } = await planned(room, { batch: 'auto' });
    expect({ batchSize, microBatch }).toEqual({ batchSize: 16, microBatch: 4 });
    expect(notes).toEqual([
      '--batch-size auto: 16 images a step',
      "a step of 16 images runs as 4 x 4; batch norm's statistics are per 4 images",
    ]);
  });

  test('and whose smallest part does not either is refused', async () => {
    const room = await roomFor({ batch: 2, micro: 1 });
    await expect(planned(room - 1, { batch: 2 })).rejects.toThrow(
      /: use a smaller --image-size, --batch-size or --micro-batch$/,
    );
  });

  test('is refused where its micro-batches are given', async () => {
    const room = await roomFor({ batch: 16, micro: 4 });
    await expect(planned(room, { batch: 16, micro: 8 })).rejects.toThrow(OutOfMemoryError);
  });
});
