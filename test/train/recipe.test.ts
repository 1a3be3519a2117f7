import { describe, expect, test } from 'vitest';
import type { ImageRecord } from '../../src/data/mura.ts';
import { isFeature, type ModelDefinition } from '../../src/models/definition.ts';
import { findModel, models } from '../../src/models/index.ts';
import { Inference } from '../../src/models/inference.ts';
import { hasDropout, Model, stateKeys, stateSpecs } from '../../src/models/model.ts';
import { AdamState } from '../../src/train/adam-state.ts';
import { classWeights, imageWeights } from '../../src/train/class-weights.ts';
import { type TrainingBatch, type TrainingOptions, TrainingStep } from '../../src/train/step.ts';
import { useDevice } from '../support/use-device.ts';
import { randomBatch } from './batch.ts';

const SIZE = 16;
const BATCH = 8;
const RATE = 1e-2;
const EPSILON = 2 ** -23;
const device = useDevice();

const small: ModelDefinition = {
  name: 'small',
  title: 'Small',
  head: 'classifier.1',
  smallestImage: 8,
  build(network, image, outputs) {
    let x = network.conv2d('features.conv1', image, { channels: 8, kernel: 3, stride: 2, padding: 1 });
    x = network.batchNorm('features.norm', x, { activation: 'relu' });
    const maps = network.conv2d('features.conv2', x, { channels: 12, kernel: 3, padding: 1 });
    const features = network.dropout('classifier.0', network.globalAvgPool2d(maps), 0);
    return { logits: network.linear('classifier.1', features, outputs), maps };
  },
};

interface Training {
  readonly model: Model;
  readonly adam: AdamState;
  readonly step: TrainingStep;
}

async function withTraining<T>(
  options: Partial<TrainingOptions>,
  body: (training: Training) => Promise<T>,
): Promise<T> {
  const model = new Model(device(), small, { seed: 3 });
  const adam = new AdamState(model);
  try {
    const step = await TrainingStep.create(model, adam, { batchSize: BATCH, imageSize: SIZE, channels: 1, ...options });
    return await body({ model, adam, step }).finally(() => step.destroy());
  } finally {
    adam.destroy();
    model.destroy();
  }
}

const lossOf = async ({ step }: Training, batch: TrainingBatch): Promise<number> =>
  new Float32Array(await (await step.run(batch, RATE)).value)[0] as number;

/** The cross-entropy of each image of a batch in evaluation mode, in float64 from the logits. */
async function crossEntropies({ model }: Training, batch: TrainingBatch): Promise<number[]> {
  const inference = await Inference.create(model, { batchSize: BATCH, imageSize: SIZE, channels: 1 });
  const logits = new Float32Array(await (await inference.run(batch)).value);
  await inference.destroy();
  return Array.from(logits, (logit, index) => Math.log1p(Math.exp(batch.labels[index] === 1 ? -logit : logit)));
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const bytesOf = async (model: Model): Promise<Map<string, string>> =>
  new Map([...(await model.stateDict())].map(([key, { data }]) => [key, String(data)]));

describe('frozen features', () => {
  test('stay as they are, statistics too, while the classifier learns', async () => {
    await withTraining({ freeze: 'features' }, async (training) => {
      const before = await bytesOf(training.model);
      for (let at = 0; at < 3; at++) await lossOf(training, randomBatch(BATCH, SIZE, at));
      const after = await bytesOf(training.model);
      const changed = [...after].filter(([key, value]) => before.get(key) !== value).map(([key]) => key);
      expect(changed).toEqual(['classifier.1.weight', 'classifier.1.bias']);
    });
  });

  test('are normalised as in evaluation', async () => {
    await withTraining({ freeze: 'features' }, async (training) => {
      const batch = randomBatch(BATCH, SIZE);
      const expected = mean(await crossEntropies(training, batch));
      expect(Math.abs((await lossOf(training, batch)) - expected)).toBeLessThan(64 * EPSILON);
    });
  });

  test('are all but the module of the head, and the auxiliary head', () => {
    const classifier = (name: string) => {
      const definition = findModel(name);
      const keys = stateKeys(stateSpecs(definition, 1)).map(({ key }) => key);
      return keys.filter((key) => !isFeature(definition, key));
    };
    expect(classifier('densenet121')).toEqual(['classifier.weight', 'classifier.bias']);
    expect(classifier('resnet34')).toEqual(['fc.weight', 'fc.bias']);
    expect(classifier('vgg16')).toEqual(
      [0, 3, 6].flatMap((layer) => [`classifier.${layer}.weight`, `classifier.${layer}.bias`]),
    );
    expect(classifier('inception_v3')).toEqual(['AuxLogits.fc.weight', 'AuxLogits.fc.bias', 'fc.weight', 'fc.bias']);
  });
});

describe('Adam begun anew', () => {
  test('steps as a new one does', async () => {
    const steps = async (training: Training, from: number, to: number) => {
      for (let at = from; at < to; at++) await lossOf(training, randomBatch(BATCH, SIZE, at));
    };
    const [state, anew] = await withTraining({}, async (training) => {
      await steps(training, 0, 3);
      const saved = await training.model.stateDict();
      training.adam.restart();
      await steps(training, 3, 6);
      expect(training.adam).toMatchObject({ steps: 6, began: 3 });
      return [saved, await bytesOf(training.model)] as const;
    });
    const fresh = await withTraining({}, async (training) => {
      training.model.load('saved', state);
      await steps(training, 3, 6);
      return bytesOf(training.model);
    });
    expect(anew).toEqual(fresh);
  });
});

describe('class weights', () => {
  const image = (region: string, label: 0 | 1): ImageRecord => ({ path: '', region, patient: '', study: 0, label });

  test('are the share of the other class in the region', () => {
    const images = [image('A', 1), image('A', 0), image('A', 0), image('A', 0), image('B', 1)];
    expect([...classWeights(images)]).toEqual([
      ['A', { abnormal: 0.75, normal: 0.25 }],
      ['B', { abnormal: 0, normal: 1 }],
    ]);
    expect([...imageWeights(images)]).toEqual([0.75, 0.25, 0.25, 0.25, 0]);
  });

  test.each([BATCH, 2])('weigh the loss, in passes of %i', async (microBatch) => {
    await withTraining({ freeze: 'features', weighted: true, microBatch }, async (training) => {
      const weights = Float32Array.of(0.75, 0.25, 0, 1, 0.5, 0.125, 2, 0.375);
      const batch = { ...randomBatch(BATCH, SIZE), weights };
      const entropies = await crossEntropies(training, batch);
      const expected = mean(entropies.map((value, index) => value * (weights[index] as number)));
      expect(Math.abs((await lossOf(training, batch)) - expected)).toBeLessThan(64 * EPSILON);
    });
  });

  test('all one change no bit', async () => {
    const train = (options: Partial<TrainingOptions>) =>
      withTraining(options, async (training) => {
        await lossOf(training, { ...randomBatch(BATCH, SIZE), weights: new Float32Array(BATCH).fill(1) });
        return bytesOf(training.model);
      });
    expect(await train({ weighted: true })).toEqual(await train({}));
  });
});

describe('dropout', () => {
  test('is found in the networks that have it', () => {
    const without = models.filter((definition) => !hasDropout(definition)).map(({ name }) => name);
    expect(without).toEqual(models.map(({ name }) => name).filter((name) => /^resn/.test(name)));
  });

  test('takes the probability that is asked for', async () => {
    const losses = (dropout: number) =>
      withTraining({ dropout, freeze: 'features' }, async (training) => {
        const batch = randomBatch(BATCH, SIZE);
        const entropy = mean(await crossEntropies(training, batch));
        return [await lossOf(training, batch), entropy] as const;
      });
    const [none, expected] = await losses(0);
    expect(Math.abs(none - expected)).toBeLessThan(64 * EPSILON);
    const [half] = await losses(0.5);
    expect(Math.abs(half - expected)).toBeGreaterThan(1e-3);
  });
});
