import { expect, test } from 'vitest';
import type { ModelDefinition } from '../../src/models/definition.ts';
import { Model } from '../../src/models/model.ts';
import { startOfRun } from '../../src/train/loop.ts';
import { packState, unpackState } from '../../src/train/run-state.ts';
import { AdamState } from '../../src/train/step.ts';
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
  const state = await packState(model, adam, startOfRun(1e-3));
  const resumed = new Model(device(), definition, { initialise: false });
  resumed.normalisation = 'half';
  expect(unpackState('state', state, resumed, adam)).toMatchObject({ epoch: 0, schedule: { learningRate: 1e-3 } });
  expect(resumed.normalisation).toBe('half');
  expect([...(await resumed.stateDict()).keys()]).toEqual(['conv.weight', 'fc.weight', 'fc.bias']);
  for (const one of [model, resumed, adam]) one.destroy();
});

test('weights that are neither drawn nor loaded are an error', async () => {
  const model = new Model(device(), definition, { initialise: false });
  await expect(model.stateDict()).rejects.toThrowErrorMatchingInlineSnapshot(
    `[UserError: the weights of this small are neither drawn nor loaded: call load first]`,
  );
  model.destroy();
});
