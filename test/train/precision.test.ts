import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { roundedToF16 } from '../../src/base/half.ts';
import type { Device } from '../../src/gpu/device.ts';
import type { Arena } from '../../src/graph/arena.ts';
import { findModel } from '../../src/models/index.ts';
import { Model } from '../../src/models/model.ts';
import { AdamState, SCALER } from '../../src/train/adam-state.ts';
import { type TrainingBatch, TrainingStep } from '../../src/train/step.ts';
import { type StateDict, type TensorData, toFloat32 } from '../../src/weights/tensor-data.ts';
import { describeWithHalves } from '../support/adapter.ts';
import { l2 } from '../support/formula.ts';
import { useDevice } from '../support/use-device.ts';
import { randomBatch } from './batch.ts';

const SIZE = 64;
const IMAGES = 4;
/** A loss scale at which nothing overflows. */
const SCALE = 256;
const halves = useDevice({ precision: 'f16' });
const floats = useDevice();

interface Training {
  readonly model: Model;
  readonly adam: AdamState;
  readonly step: TrainingStep;
}

async function withTraining<T>(device: Device, body: (training: Training) => Promise<T>): Promise<T> {
  const model = new Model(device, findModel('densenet121'), { seed: 7 });
  const adam = new AdamState(model);
  try {
    const step = await TrainingStep.create(model, adam, { batchSize: IMAGES, imageSize: SIZE, channels: 1 });
    try {
      return await body({ model, adam, step });
    } finally {
      await step.destroy();
    }
  } finally {
    adam.destroy();
    model.destroy();
  }
}

/** Grey images that differ from one another in more than noise, so that batch norm has something to normalise. */
function smoothBatch(images: number): TrainingBatch {
  const batch = randomBatch(images, SIZE);
  const pixels = batch.pixels.map((noise, index) => {
    const [image, y, x] = [Math.floor(index / SIZE ** 2), Math.floor(index / SIZE) % SIZE, index % SIZE];
    const wave = Math.sin(((image + 1) * x) / 9 + image) * Math.cos(((image * 3 + 2) * y) / 13);
    return 20 + 30 * (image % 6) + 40 * wave + noise / 8;
  });
  return { ...batch, pixels };
}

/** Distance of all gradients together from those expected, relative to their norm. */
function distance(gradients: StateDict, expected: StateDict, scale = 1): number {
  const norms = [...expected].map(([key, one]) => {
    const found = toFloat32(gradients.get(key) as TensorData);
    const wanted = toFloat32(one);
    return [l2(wanted.map((value, index) => value - (found[index] as number) / scale)), l2(wanted)] as const;
  });
  return Math.hypot(...norms.map(([difference]) => difference)) / Math.hypot(...norms.map(([, norm]) => norm));
}

const lossOf = async ({ step }: Training, rate = 1e-3): Promise<number> =>
  new Float32Array(await (await step.run(smoothBatch(step.batchSize), rate)).value)[0] as number;

/** A hash of all tensors of an arena. */
async function hashOf(arena: Arena): Promise<string> {
  const hash = createHash('sha256');
  for (const [name, values] of await arena.read()) hash.update(name).update(values);
  return hash.digest('hex');
}

/** What a step may change, as hashes, and the loss scale. */
const stateOf = async ({ model, adam }: Training) => ({
  parameters: await hashOf(model.parameters),
  first: await hashOf(adam.first),
  second: await hashOf(adam.second),
  statistics: await hashOf(model.statistics),
  scaler: [...((await adam.readScaler()) ?? [])],
});

describeWithHalves('a training step of DenseNet-121 in f16', () => {
  test('is that of f32, as far as its weights rounded to f16 would move it', async () => {
    const run = async (training: Training) => {
      const loss = await lossOf(training, 0);
      return { loss, gradients: training.model.named(await training.step.gradients.read()) };
    };
    const planned = ({ step: { program } }: Training) => ({
      bytes: program.bytes,
      stored: new Set(program.plan.launches.flatMap(({ node }) => node.outputs.filter(({ dtype }) => dtype === 'f16')))
        .size,
    });
    const { f32, rounded, plain } = await withTraining(floats(), async (training) => {
      const { parameters } = training.model;
      const exact = await run(training);
      for (const [name, values] of await parameters.read()) parameters.write(name, roundedToF16(values));
      return { f32: exact, rounded: await run(training), plain: planned(training) };
    });
    const { f16, halved } = await withTraining(halves(), async (training) => {
      training.adam.scaler?.write(SCALER, Float32Array.of(SCALE, 0, 0));
      return { f16: await run(training), halved: planned(training) };
    });
    expect(plain.stored).toBe(0);
    expect(halved.stored).toBeGreaterThan(200);
    expect(halved.bytes).toBeLessThan(0.65 * plain.bytes);
    // Each of the maps on the way to the loss is moved by at most a step of f16, to either side.
    expect(Math.abs(f16.loss - f32.loss)).toBeLessThan(2 ** -10 * Math.sqrt(halved.stored));
    // A weight rounded to f16 moves a map of random sums as much as rounding it does; both directions and twice the error.
    expect(distance(f16.gradients, f32.gradients, SCALE)).toBeLessThan(4 * distance(rounded.gradients, f32.gradients));
  });

  test('that overflows changes nothing but running statistics and the loss scale', async () => {
    await withTraining(halves(), async (training) => {
      training.adam.scaler?.write(SCALER, Float32Array.of(SCALE, 0, 0));
      const fresh = await stateOf(training);
      await lossOf(training);
      const before = await stateOf(training);
      expect(before.parameters).not.toBe(fresh.parameters);
      expect(before.scaler).toEqual([SCALE, 1, 1]);
      training.adam.scaler?.write(SCALER, Float32Array.of(2 ** 120, 17, 1));
      expect(await lossOf(training)).toBeGreaterThan(0);
      const after = await stateOf(training);
      expect(after).toEqual({ ...before, statistics: after.statistics, scaler: [2 ** 119, 0, 1] });
      expect(after.statistics).not.toBe(before.statistics);
    });
  });
});
