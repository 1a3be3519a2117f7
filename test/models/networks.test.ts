import { describe } from 'vitest';
import { inception } from '../../src/models/inception.ts';
import { findModel, models } from '../../src/models/index.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { readGolden } from '../support/golden.ts';
import { useDevice } from '../support/use-device.ts';
import { branchesOf, type Fixture, type Tipped } from './fixture.ts';
import { testTraining } from './pytorch.ts';
import { inThisRun } from './tier.ts';

// DenseNet-121 has a file of its own, with more checks.
const others = models.map(({ name }) => name).filter((name) => name !== 'densenet121' && name !== 'inception_v3');
/** Networks in which a rectifier tips on some adapter, by test/golden/oracle/make_tipped.py. */
const withTipped = new Set(['resnet34']);
/** Networks in which one tips between the first step and the third: their later parameters are compared loosely alone. */
const tipsLater = new Set(['vgg11_bn']);
const networks = [
  ...others.map((name) => ({ name, definition: findModel(name) })),
  { name: 'inception_v3', definition: inception({ auxiliary: false }) },
  { name: 'inception_v3_aux', definition: inception({ auxiliary: true }) },
];

describeOnFastAdapter('as PyTorch computes them', () => {
  const device = useDevice();

  describe.each(inThisRun('the comparison with PyTorch', networks))('$name', ({ name, definition }) => {
    const fixture = readGolden<Fixture>(`networks/${name}.json.gz`);
    const branches = withTipped.has(name)
      ? branchesOf(fixture, readGolden<Tipped>(`networks/${name}_tipped.json.gz`))
      : ([fixture] as const);
    testTraining(device, { definition, branches, tipsLater: tipsLater.has(name) });
  });
});
