import { expect, test } from 'vitest';
import type { ModelDefinition } from '../../src/models/definition.ts';
import { Model } from '../../src/models/model.ts';
import { startOfRun } from '../../src/train/loop.ts';
import { packState, unpackState } from '../../src/train/run-state.ts';
import { AdamState } from '../../src/train/step.ts';
import { readSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts';
import type { TensorData } from '../../src/weights/tensor-data.ts';
import { useDevice } from '../support/use-device.ts';

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
