import { expect, test } from 'vitest';
import type { ModelDefinition } from '../../src/models/definition.ts';
import { Model } from '../../src/models/model.ts';
import { AdamState, SCALER } from '../../src/train/adam-state.ts';
import { startOfRun } from '../../src/train/loop.ts';
import { packState, unpackState } from '../../src/train/run-state.ts';
import { TrainingStep } from '../../src/train/step.ts';
import { readSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts';
import type { TensorData } from '../../src/weights/tensor-data.ts';
import { describeWithHalves } from '../support/adapter.ts';
import { useDevice } from '../support/use-device.ts';
import { randomBatch } from './batch.ts';

const definition: ModelDefinition = {
  name: 'small',
  title: 'Small',
  head: 'fc',
  smallestImage: 8,
  build(network, image, outputs) {
    const maps = network.conv2d('conv', image, { channels: 4, kernel: 3, padding: 1 });
    return { logits: network.linear('fc', network.globalAvgPool2d(maps), outputs), maps };
  },
};

const device = useDevice();

test('a state that is taken over leaves the normalisation of the run', async () => {
  const model = new Model(device(), definition);
  const adam = new AdamState(model);
  const state = await packState(await model.stateDict(), model, adam, startOfRun(1e-3));
  const resumed = new Model(device(), definition, { initialise: false });
  resumed.normalisation = 'half';
  expect(unpackState('state', state, resumed, adam)).toMatchObject({ epoch: 0, schedule: { learningRate: 1e-3 } });
  expect(resumed.normalisation).toBe('half');
  expect([...(await resumed.stateDict()).keys()]).toEqual(['conv.weight', 'fc.weight', 'fc.bias']);
  for (const one of [model, resumed, adam]) one.destroy();
});

test.each([
  ['no progress', { progress: '{}' }],
  ['half a progress', { progress: JSON.stringify({ ...startOfRun(1e-3), epoch: -1 }) }],
  ['no steps', { steps: 'x' }],
])('a state with %s is no state', async (_, change) => {
  const model = new Model(device(), definition);
  const adam = new AdamState(model);
  const { tensors, metadata } = readSafetensors(
    'state',
    await packState(await model.stateDict(), model, adam, startOfRun(1e-3)),
  );
  const bytes = writeSafetensors(tensors, { ...metadata, ...change });
  expect(() => unpackState('state', bytes, model, adam)).toThrowErrorMatchingInlineSnapshot(
    `[UserError: state does not say where its run stands: start a new run from it with --pretrained]`,
  );
  for (const one of [model, adam]) one.destroy();
});

test('a state that lacks a moment, or has one of another shape, changes nothing', async () => {
  const model = new Model(device(), definition);
  const adam = new AdamState(model);
  const { tensors, metadata } = readSafetensors(
    'state',
    await packState(await model.stateDict(), model, adam, startOfRun(1e-3)),
  );
  const before = await model.stateDict();
  const other = new Model(device(), definition, { seed: 1 });
  for (const [key, tensor] of await other.stateDict()) tensors.set(`model.${key}`, tensor);
  const key = 'adam.exp_avg_sq.conv.weight';
  const moment = tensors.get(key) as TensorData;
  tensors.set(key, { ...moment, shape: [4, 27] });
  expect(() =>
    unpackState('state', writeSafetensors(tensors, metadata), model, adam),
  ).toThrowErrorMatchingInlineSnapshot(
    `[UserError: state: adam.exp_avg_sq.conv.weight is [4,27], expected [4,3,3,3]: resume the run folder it belongs to]`,
  );
  tensors.delete(key);
  expect(() =>
    unpackState('state', writeSafetensors(tensors, metadata), model, adam),
  ).toThrowErrorMatchingInlineSnapshot(
    `[UserError: state: adam.exp_avg_sq.conv.weight is missing, expected [4,3,3,3]: resume the run folder it belongs to]`,
  );
  expect(await model.stateDict()).toEqual(before);
  for (const one of [model, other, adam]) one.destroy();
});

test('weights that are neither drawn nor loaded are an error', async () => {
  const model = new Model(device(), definition, { initialise: false });
  await expect(model.stateDict()).rejects.toThrowErrorMatchingInlineSnapshot(
    `[UserError: the weights of this small are neither drawn nor loaded: call load first]`,
  );
  model.destroy();
});

describeWithHalves('in f16', () => {
  const halves = useDevice({ precision: 'f16' });
  const size = 8;
  const create = async (initialise: boolean, microBatch = 4) => {
    const model = new Model(halves(), definition, { seed: 3, initialise });
    const adam = new AdamState(model);
    const step = await TrainingStep.create(model, adam, { batchSize: 4, microBatch, imageSize: size, channels: 1 });
    return { model, adam, step };
  };
  const train = async ({ step }: { step: TrainingStep }, seed: number) =>
    (await step.run(randomBatch(4, size, seed), 1e-3)).value;
  const destroy = async ({ model, adam, step }: Awaited<ReturnType<typeof create>>) => {
    await step.destroy();
    model.destroy();
    adam.destroy();
  };

  test('a step of micro-batches is one for the loss scale, which is doubled after 2000 good ones', async () => {
    const run = await create(true, 2);
    run.adam.scaler?.write(SCALER, Float32Array.of(256, 1998, 5));
    await train(run, 0);
    expect([...((await run.adam.readScaler()) ?? [])]).toEqual([256, 1999, 6]);
    await train(run, 1);
    expect([...((await run.adam.readScaler()) ?? [])]).toEqual([512, 0, 7]);
    await destroy(run);
  });

  test('a run that goes on from its state does what the run itself does, bit for bit', async () => {
    const own = await create(true);
    own.adam.scaler?.write(SCALER, Float32Array.of(2 ** 126, 0, 0));
    // The scale falls with each step until nothing overflows.
    for (let at = 0; at < 130; at++) await train(own, at);
    const [scale = 0, , steps = 0] = (await own.adam.readScaler()) ?? [];
    expect(scale).toBeLessThan(2 ** 126);
    expect(steps).toBeGreaterThan(0);
    expect(steps).toBeLessThan(130);
    const state = await packState(await own.model.stateDict(), own.model, own.adam, startOfRun(1e-3));
    const resumed = await create(false);
    unpackState('state', state, resumed.model, resumed.adam);
    for (const run of [own, resumed]) await train(run, 130);
    const packed = await Promise.all(
      [own, resumed].map(async ({ model, adam }) => packState(await model.stateDict(), model, adam, startOfRun(1e-3))),
    );
    expect(Buffer.from(packed[1] as Uint8Array).equals(packed[0] as Uint8Array)).toBe(true);

    // Where there is no f16, Adam goes on from the steps that it took.
    const plain = new Model(device(), definition, { initialise: false });
    const adam = new AdamState(plain);
    unpackState('state', state, plain, adam);
    expect(adam.steps - adam.began).toBe(steps);
    for (const run of [own, resumed]) await destroy(run);
    plain.destroy();
    adam.destroy();
  });
});
