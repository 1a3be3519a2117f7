import { describe } from 'vitest';
import { inception } from '../../src/models/inception.ts';
import { findModel } from '../../src/models/index.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { readGolden } from '../support/golden.ts';
import { useDevice } from '../support/use-device.ts';
import { branchesOf, type Fixture, type Tipped } from './fixture.ts';
import { testLogits, testTrainingPasses } from './pytorch.ts';

// DenseNet-121 has a file of its own. What others have that it has not: residual sums, of a projection and of the block's
// input; depthwise convolutions and ReLU6; branches that are concatenated, of convolutions and of pools.
const resnet = readGolden<Fixture>('networks/resnet34.json.gz');
const networks = [
  {
    name: 'resnet34',
    definition: findModel('resnet34'),
    branches: branchesOf(resnet, readGolden<Tipped>('networks/resnet34_tipped.json.gz')),
  },
  {
    name: 'mobilenet_v2',
    definition: findModel('mobilenet_v2'),
    branches: [readGolden<Fixture>('networks/mobilenet_v2.json.gz')] as const,
  },
  {
    name: 'inception_v3',
    definition: inception({ auxiliary: false }),
    branches: [readGolden<Fixture>('networks/inception_v3.json.gz')] as const,
  },
];

describeOnFastAdapter('without passes of the graph', () => {
  const device = useDevice();

  describe.each(networks)('$name', ({ definition, branches }) => {
    testLogits(device, { definition, branches });
    testTrainingPasses(device, { definition, branches });
  });
});
