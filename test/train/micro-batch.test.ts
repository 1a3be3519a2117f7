import { describe, expect, test } from 'vitest';
import type { ModelDefinition } from '../../src/models/definition.ts';
import { findModel } from '../../src/models/index.ts';
import { Model } from '../../src/models/model.ts';
import { AdamState } from '../../src/train/adam-state.ts';
import { type TrainingBatch, type TrainingOptions, TrainingStep } from '../../src/train/step.ts';
import { testOnFastAdapter } from '../support/adapter.ts';
import { l2 } from '../support/formula.ts';
import { useDevice } from '../support/use-device.ts';
import { randomBatch } from './batch.ts';

const SIZE = 16;
const BATCH = 8;
const EPSILON = 2 ** -23;
const device = useDevice();

/** Three layers; with batch norm and dropout or without. */
const tiny = (kind: 'plain' | 'normalised'): ModelDefinition => ({
  name: 'tiny',
  title: 'Tiny',
  head: 'fc',
  smallestImage: 8,
  build(network, image, outputs) {
    let x = network.conv2d('conv1', image, { channels: 8, kernel: 3, stride: 2, padding: 1, bias: kind === 'plain' });
    x = kind === 'plain' ? network.activate(x, 'relu') : network.batchNorm('norm', x, { activation: 'relu' });
    if (kind === 'normalised') x = network.dropout('drop', x, 0.5);
    const maps = network.conv2d('conv2', x, { channels: 12, kernel: 3, padding: 1 });
    return { logits: network.linear('fc', network.globalAvgPool2d(maps), outputs), maps };
  },
});

interface Training {
  readonly model: Model;
  readonly step: TrainingStep;
}

async function withTraining<T>(
  definition: ModelDefinition,
  options: Partial<TrainingOptions>,
  body: (training: Training) => Promise<T>,
): Promise<T> {
  const model = new Model(device(), definition, { seed: 3 });
  const adam = new AdamState(model);
  try {
    const step = await TrainingStep.create(model, adam, { batchSize: BATCH, imageSize: SIZE, channels: 1, ...options });
    try {
      return await body({ model, step });
    } finally {
      await step.destroy();
    }
  } finally {
    adam.destroy();
    model.destroy();
  }
}

const run = async ({ step }: Training, batch: TrainingBatch, rate: number): Promise<number> =>
  new Float32Array(await (await step.run(batch, rate)).value)[0] as number;

/** Images `first` to `first + count` of a batch, on their own. */
const slice = (batch: TrainingBatch, first: number, count: number): TrainingBatch => ({
  pixels: batch.pixels,
  offsets: batch.offsets.slice(first, first + count),
  channels: batch.channels.slice(first, first + count),
  flips: batch.flips.slice(first, first + count),
  angles: batch.angles.slice(first, first + count),
  labels: batch.labels.slice(first, first + count),
});

/** A batch whose images are flipped and turned, each by an angle of its own. */
function turnedBatch(seed: number): TrainingBatch {
  const batch = randomBatch(BATCH, SIZE, seed);
  return {
    ...batch,
    flips: Uint32Array.from({ length: BATCH }, (_, index) => index % 2),
    angles: Float32Array.from({ length: BATCH }, (_, index) => index / 10),
    labels: Float32Array.from({ length: BATCH }, (_, index) => (index < 3 ? 1 : 0)),
  };
}

const flat = (values: ReadonlyMap<string, Float32Array>): Float64Array =>
  Float64Array.from([...values.values()].flatMap((one) => [...one]));

/** Mean of vectors, in float64. */
const mean = (vectors: readonly Float64Array[]): Float64Array =>
  Float64Array.from(
    vectors[0] as Float64Array,
    (_, at) => vectors.reduce((sum, one) => sum + (one[at] as number), 0) / vectors.length,
  );

/** What micro-batches of 2 images give that are steps of their own, at a rate of 0: batch by batch, the means. */
async function separately(batches: readonly TrainingBatch[]) {
  // The bytes of the whole batch lie before every slice.
  return withTraining(tiny('normalised'), { batchSize: 2 }, async (training) => {
    const found = [];
    for (const batch of batches) {
      const losses: number[] = [];
      const gradients: Float64Array[] = [];
      for (let first = 0; first < BATCH; first += 2) {
        const part = slice(batch, first, 2);
        const [low, high] = [part.offsets[0] as number, (part.offsets[1] as number) + SIZE * SIZE];
        const alone = {
          ...part,
          pixels: batch.pixels.subarray(low, high),
          offsets: part.offsets.map((offset) => offset - low),
        };
        losses.push(await run(training, alone, 0));
        gradients.push(flat(await training.step.gradients.read()));
      }
      found.push({ losses, gradients, statistics: flat(await training.model.statistics.read()) });
    }
    return { found, tracked: training.model.batchesTracked };
  });
}

describe('a step of four micro-batches', () => {
  test('averages what four steps give, each with masks and statistics of its own', async () => {
    const batches = [turnedBatch(1), turnedBatch(2)];
    const expected = await separately(batches);
    await withTraining(tiny('normalised'), { microBatch: 2 }, async (training) => {
      expect(training.step).toMatchObject({ batchSize: BATCH, microBatch: 2 });
      for (const [index, batch] of batches.entries()) {
        const { losses, gradients, statistics } = expected.found[index] as (typeof expected.found)[number];
        const loss = await run(training, batch, 0);
        // Four terms, each rounded once and added once, as 4 eps times their sizes allows.
        const tolerance = 4 * EPSILON * (losses.reduce((sum, one) => sum + Math.abs(one), 0) / 4);
        expect(Math.abs(loss - losses.reduce((sum, one) => sum + one, 0) / 4)).toBeLessThanOrEqual(tolerance);
        const wanted = mean(gradients);
        const sizes = mean(gradients.map((one) => one.map(Math.abs)));
        const found = flat(await training.step.gradients.read());
        const off = found.map((value, at) => Math.abs(value - (wanted[at] as number)) / (sizes[at] as number));
        expect(Math.max(...off.filter((value) => !Number.isNaN(value)))).toBeLessThanOrEqual(4 * EPSILON);
        expect(Math.max(...wanted.map(Math.abs))).toBeGreaterThan(1e-3);
        expect(flat(await training.model.statistics.read())).toEqual(statistics);
      }
      expect(training.model.batchesTracked).toBe(expected.tracked);
      expect(training.step.adam.steps).toBe(2);
    });
  });

  test('moves the parameters by one step of Adam with the mean gradient', async () => {
    await withTraining(tiny('normalised'), { microBatch: 2 }, async (training) => {
      const before = flat(await training.model.parameters.read());
      await run(training, turnedBatch(1), 1e-2);
      const gradients = flat(await training.step.gradients.read());
      const after = flat(await training.model.parameters.read());
      // In the first step the corrected moments are g and g^2: Kingma & Ba, algorithm 1.
      const expected = before.map((value, at) => {
        const gradient = gradients[at] as number;
        return value - (1e-2 * gradient) / (Math.abs(gradient) + 1e-8);
      });
      const off = after.map((value, at) => Math.abs(value - (expected[at] as number)));
      // A few roundings of a parameter of up to 1, and of a change of 1e-2.
      expect(Math.max(...off)).toBeLessThanOrEqual(EPSILON + 16 * EPSILON * 1e-2);
    });
  });

  test('allocates nothing after the plan', async () => {
    await withTraining(tiny('normalised'), { microBatch: 2 }, async (training) => {
      const planned = { ...device().live };
      for (let at = 0; at < 10; at++) {
        await run(training, turnedBatch(at), 1e-3);
        expect(device().live).toEqual(planned);
      }
    });
  });
});

test.each([1, 2, 4])(
  'without batch norm micro-batches of %i images are one batch of 8 within rounding',
  async (size) => {
    const train = (options: Partial<TrainingOptions>) =>
      withTraining(tiny('plain'), options, async (training) => ({
        loss: await run(training, turnedBatch(1), 1e-3),
        gradients: flat(await training.step.gradients.read()),
      }));
    const whole = await train({});
    const parts = await train({ microBatch: size });
    expect(Math.abs(parts.loss - whole.loss)).toBeLessThanOrEqual(8 * EPSILON * Math.abs(whole.loss));
    // Sums over the 8 images' 8 x 8 pixels of products, added up in another order.
    const distance = l2(Float32Array.from(parts.gradients, (value, at) => value - (whole.gradients[at] as number)));
    const norm = l2(Float32Array.from(whole.gradients));
    expect(distance / norm).toBeLessThanOrEqual(4 * EPSILON * Math.sqrt(8 * 8 * 8));
  },
);

testOnFastAdapter('the same seed gives the same bytes', async () => {
  const states = await Promise.all(
    [0, 1].map(() =>
      withTraining(tiny('normalised'), { microBatch: 4 }, async (training) => {
        for (let at = 0; at < 4; at++) await run(training, turnedBatch(at), 1e-3);
        return flat(await training.model.parameters.read());
      }),
    ),
  );
  expect(states[0]).toEqual(states[1]);
});

describe('what is refused', () => {
  test('micro-batches that do not divide the batch', async () => {
    const created = withTraining(tiny('plain'), { microBatch: 3 }, async () => {});
    await expect(created).rejects.toThrowErrorMatchingInlineSnapshot(
      `[UserError: micro-batches of 3 images do not divide a batch of 8]`,
    );
  });

  test('micro-batches with one value per channel', async () => {
    const options = { batchSize: 2, microBatch: 1, imageSize: 32 };
    const created = withTraining(findModel('densenet121'), options, async () => {});
    await expect(created).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: batch_norm: expected more than one value per channel when training but x is [1,1,1,512]: use a larger batch or image]`,
    );
  });
});
