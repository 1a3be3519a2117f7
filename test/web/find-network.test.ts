import { expect, test } from 'vitest';
import { models } from '../../src/models/index.ts';
import { stateKeys, stateSpecs } from '../../src/models/model.ts';
import type { StateDict, TensorData } from '../../src/weights/state-dict.ts';
import { findNetwork } from '../../web/src/worker/find-network.ts';

/** The names and shapes of a network's weights, without values. */
const namesOf = (definition: (typeof models)[number], outputs: number): StateDict =>
  new Map(
    stateKeys(stateSpecs(definition, outputs)).map(({ key, shape }): [string, TensorData] => [
      key,
      { dtype: 'F32', shape, data: new Float32Array() },
    ]),
  );

const bare = (tensors: StateDict) => ({
  file: 'some.pth',
  tensors,
  model: undefined,
  imageSize: undefined,
  normalisation: undefined,
});

test.each(models)('finds $name by its tensors, with a head of 1 or 1,000 outputs', (definition) => {
  for (const outputs of [1, 1000]) {
    expect(findNetwork(bare(namesOf(definition, outputs)))).toEqual({ definition, imageSize: 320 });
  }
});

test('takes the file at its word, and refuses what is no network', () => {
  const file = { ...bare(new Map()), model: 'resnet50', imageSize: 224 };
  expect(findNetwork(file)).toMatchObject({ definition: { name: 'resnet50' }, imageSize: 224 });
  expect(() => findNetwork(bare(new Map()))).toThrow('some.pth: its 0 tensors are those of none of the 18 networks');
});
