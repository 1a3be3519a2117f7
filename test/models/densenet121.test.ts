import { describe, expect, test } from 'vitest';
import { findModel } from '../../src/models/index.ts';
import { Model } from '../../src/models/model.ts';
import type { StateDict, TensorData } from '../../src/weights/tensor-data.ts';
import { describeOnFastAdapter, testOnFastAdapter } from '../support/adapter.ts';
import { HARDWARE_KERNELS } from '../support/device.ts';
import { readGolden } from '../support/golden.ts';
import { useDevice } from '../support/use-device.ts';
import { compareGradients, outside } from './compare.ts';
import { branchesOf, type Fixture, FixtureStep, formulaModel, formulaState, type Tipped } from './fixture.ts';
import { testEvaluation, testLogits, testPasses, testTraining } from './pytorch.ts';

const definition = findModel('densenet121');
const fixture = readGolden<Fixture>('networks/densenet121.json.gz');
const device = useDevice();

describe('state', () => {
  test('comes back from the device as it was loaded, bit for bit', async () => {
    const model = new Model(device(), definition);
    const tensors: StateDict = formulaState(model, fixture.gain);
    for (const [key, tensor] of tensors)
      if (tensor.dtype === 'I64') tensors.set(key, { ...tensor, data: BigInt64Array.of(7n) });
    expect(model.load('formula', tensors)).toMatchObject({ fresh: [], notes: [] });
    const back = await model.stateDict();
    model.destroy();
    expect([...back.keys()]).toEqual([...tensors.keys()]);
    const bytesOf = ({ data }: TensorData) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const different = [...tensors].filter(([key, tensor]) => {
      const other = back.get(key);
      if (other?.dtype !== tensor.dtype || String(other.shape) !== String(tensor.shape)) return true;
      return Buffer.compare(bytesOf(other), bytesOf(tensor)) !== 0;
    });
    expect(different.map(([key]) => key)).toEqual([]);
  });
});

const expected = {
  definition,
  branches: branchesOf(fixture, readGolden<Tipped>('networks/densenet121_tipped.json.gz')),
};
testLogits(device, expected);
describeOnFastAdapter('training', () => {
  testEvaluation(device, expected);
  testTraining(device, expected);
  testPasses(device, expected);
});
describeOnFastAdapter(`training ${HARDWARE_KERNELS.name}`, () => {
  testTraining(useDevice(HARDWARE_KERNELS), expected);
});

testOnFastAdapter('the comparison notices two channels that changed places', async () => {
  const model = formulaModel(device(), definition, fixture.gain);
  const step = await FixtureStep.create(model, fixture, 'eval');
  await step.run();
  const gradients = await step.gradients();
  step.destroy();
  model.destroy();
  const key = 'features.denseblock3.denselayer7.norm2.weight';
  const values = gradients.get(key)?.data as Float32Array;
  [values[40], values[41]] = [values[41] as number, values[40] as number];
  expect(outside(compareGradients(gradients, fixture, 'eval'))).toEqual([
    expect.stringContaining(`${key} dot: off by`),
  ]);
});
