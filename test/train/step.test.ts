import { beforeAll, describe, expect, test } from 'vitest';
import { type PassName, passNames } from '../../src/graph/passes/index.ts';
import { findModel } from '../../src/models/index.ts';
import { Model } from '../../src/models/model.ts';
import { AdamState } from '../../src/train/adam-state.ts';
import { type TrainingOptions, TrainingStep } from '../../src/train/step.ts';
import { type StateDict, type TensorData, toFloat32 } from '../../src/weights/tensor-data.ts';
import type { Fixture } from '../models/fixture.ts';
import { describeOnFastAdapter, testOnFastAdapter } from '../support/adapter.ts';
import { l2 } from '../support/formula.ts';
import { readGolden } from '../support/golden.ts';
import { useDevice } from '../support/use-device.ts';
import { randomBatch } from './batch.ts';

/** torchvision's smallest DenseNet image: the last feature maps have one pixel. */
const SIZE = 32;
const RATE = 1e-3;
/** Share of a gradient's norm that a rectifier within rounding of zero may move it by. */
const TIPPED = 0.02;
const device = useDevice();

interface Training {
  readonly model: Model;
  readonly step: TrainingStep;
}

/** Runs `body` with a fresh DenseNet-121 and its training step, and frees both. */
async function withTraining<T>(
  options: Partial<TrainingOptions>,
  body: (training: Training) => Promise<T>,
): Promise<T> {
  const model = new Model(device(), findModel('densenet121'), { seed: 7 });
  const adam = new AdamState(model);
  try {
    const step = await TrainingStep.create(model, adam, { batchSize: 4, imageSize: SIZE, channels: 1, ...options });
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

const lossOf = async ({ step }: Training, batch = randomBatch(step.batchSize, SIZE)): Promise<number> =>
  new Float32Array(await (await step.run(batch, RATE)).value)[0] as number;

const bytesOf = (state: StateDict): [string, Buffer][] =>
  [...state].map(([key, { data }]) => [key, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);

/** Distance of all values together, relative to their norm. */
function distance(values: StateDict, expected: StateDict): number {
  const norms = [...expected].map(([key, one]) => {
    const reference = toFloat32(one);
    const other = toFloat32(values.get(key) as TensorData);
    return [l2(reference.map((value, index) => value - (other[index] as number))), l2(reference)] as const;
  });
  return Math.hypot(...norms.map(([difference]) => difference)) / Math.hypot(...norms.map(([, norm]) => norm));
}

describeOnFastAdapter('a training step of DenseNet-121', () => {
  test('the same seed gives the same bytes', async () => {
    const [first, second] = await Promise.all(
      [0, 1].map(() =>
        withTraining({}, async (training) => {
          const losses = [];
          for (let at = 0; at < 5; at++) losses.push(await lossOf(training, randomBatch(4, SIZE, at)));
          return { losses, state: bytesOf(await training.model.stateDict()) };
        }),
      ),
    );
    expect(second?.losses).toEqual(first?.losses);
    const other = new Map(second?.state);
    expect(first?.state).toHaveLength(727);
    expect(first?.state.filter(([key, bytes]) => !other.get(key)?.equals(bytes)).map(([key]) => key)).toEqual([]);
  });

  test('overfits eight images', async () => {
    const losses = await withTraining({ batchSize: 8 }, async (training) => {
      const found: number[] = [];
      const learned = () => found.length > 3 && found.slice(-3).every((loss) => loss < 0.05);
      while (found.length < 60 && !learned()) found.push(await lossOf(training));
      return found;
    });
    console.log(`losses of ${losses.length} steps: ${losses.map((loss) => loss.toFixed(4)).join(' ')}`);
    expect(losses[0]).toBeGreaterThan(0.3);
    expect(Math.max(...losses.slice(-3))).toBeLessThan(0.05);
  });

  test('every parameter gets a gradient and moves', async () => {
    await withTraining({}, async (training) => {
      const { model, step } = training;
      const before = model.named(await model.parameters.read());
      await lossOf(training);
      const gradients = model.named(await step.gradients.read());
      const after = model.named(await model.parameters.read());
      expect(gradients.size).toBe(364);
      const norms = [...gradients].map(([key, gradient]) => ({ key, norm: l2(toFloat32(gradient)) }));
      expect(norms.filter(({ norm }) => !(norm > 0 && norm < Number.POSITIVE_INFINITY))).toEqual([]);
      const still = new Map(bytesOf(before));
      expect(bytesOf(after).filter(([key, bytes]) => still.get(key)?.equals(bytes))).toEqual([]);
    });
  });

  test('allocates nothing after the plan', async () => {
    await withTraining({ batchSize: 2 }, async (training) => {
      const planned = { ...device().live };
      expect(planned.buffers).toBeGreaterThan(0);
      for (let at = 0; at < 30; at++) {
        await lossOf(training);
        expect(device().live).toEqual(planned);
      }
    });
  });

  describe('without a pass', () => {
    const { noise } = readGolden<Fixture>('networks/densenet121.json.gz').train;
    const choices = [...passNames.map((pass) => [pass]), passNames].map((without) => ({
      without,
      name: without.join(', '),
    }));
    const run = (without: readonly PassName[]) =>
      withTraining({ without }, async (training) => {
        const loss = await lossOf(training);
        return { loss, gradients: training.model.named(await training.step.gradients.read()) };
      });
    let fused: Awaited<ReturnType<typeof run>>;
    beforeAll(async () => {
      fused = await run([]);
    });

    test.each(choices)('$name, the loss and the gradients are the same', async ({ without }) => {
      const plain = await run(without);
      // Both differ from float64 by at most ten times the noise (test/models/compare.ts).
      expect(Math.abs(plain.loss - fused.loss)).toBeLessThanOrEqual(2 * 10 * (noise.losses[0] as number));
      expect(distance(plain.gradients, fused.gradients)).toBeLessThanOrEqual(TIPPED);
    });
  });
});

testOnFastAdapter('a batch of another size than the plan, and images too large for it, are refused', async () => {
  await withTraining({}, async ({ step }) => {
    await expect(step.run(randomBatch(3, SIZE), RATE)).rejects.toThrow(
      'a training batch of 3 images and 3 labels, expected 4 of each, the batch size of this plan',
    );
    await expect(step.run(randomBatch(5, SIZE), RATE)).rejects.toThrow('a training batch of 5 images');
    await expect(step.run(randomBatch(4, 2 * SIZE), RATE)).rejects.toThrow(
      'a batch of 16384 bytes, expected at most 4096: is it of another image size',
    );
  });
});

describe('what a training step refuses', () => {
  test('one value per channel', async () => {
    await expect(withTraining({ batchSize: 1 }, async () => {})).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: batch_norm: expected more than one value per channel when training but x is [1,1,1,512]: use a larger batch or image]`,
    );
  });

  test('an image that is too small', async () => {
    await expect(withTraining({ imageSize: 16 }, async () => {})).rejects.toThrowErrorMatchingInlineSnapshot(
      `[UserError: densenet121 cannot take images of 16 pixels: the smallest --image-size is 29]`,
    );
  });
});
