import { describe } from 'vitest';
import { inception } from '../../src/models/inception.ts';
import { findModel, models } from '../../src/models/index.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { readGolden } from '../support/golden.ts';
import { useDevice } from '../support/use-device.ts';
import { branchesOf, evaluationBranchesOf, type Fixture, type Tipped, type TippedEvaluation } from './fixture.ts';
import { testEvaluation, testInference, testTraining } from './pytorch.ts';
import { inThisRun } from './tier.ts';

// DenseNet-121 has a file of its own, with more checks.
const others = models.map(({ name }) => name).filter((name) => name !== 'densenet121' && name !== 'inception_v3');
/** Networks in which a rectifier tips on some adapter, by test/golden/oracle/make_tipped.py. */
const withTipped = new Set(['resnet34']);
/** Those in which one tips in evaluation mode. */
const withTippedEvaluation = new Set(['inception_v3_aux']);
/** Networks in which one tips between the first step and the third: their later parameters are compared loosely alone. */
const tipsLater = new Set(['vgg11_bn']);
/** The smallest network without batch norm: the gradients of convolutions that rectifiers follow at once. */
const withoutBatchNorm = 'vgg16';
const networks = [
  ...others.map((name) => ({ name, file: name, definition: findModel(name) })),
  {
    name: 'inception_v3 without its auxiliary classifier',
    file: 'inception_v3',
    definition: inception({ auxiliary: false }),
  },
  { name: 'inception_v3', file: 'inception_v3_aux', definition: inception({ auxiliary: true }) },
];
const trained = new Set(inThisRun('the comparison of training with PyTorch', networks));

describeOnFastAdapter('as PyTorch computes them', () => {
  const device = useDevice();

  describe.each(networks)('$name', (network) => {
    const { name, file, definition } = network;
    const fixture = readGolden<Fixture>(`networks/${file}.json.gz`);
    const branches = withTipped.has(file)
      ? branchesOf(fixture, readGolden<Tipped>(`networks/${file}_tipped.json.gz`))
      : ([fixture] as const);
    const evaluations = withTippedEvaluation.has(file)
      ? evaluationBranchesOf(fixture, readGolden<TippedEvaluation>(`networks/${file}_tipped_eval.json.gz`))
      : ([fixture] as const);
    const expected = { definition, branches, evaluations, tipsLater: tipsLater.has(name) };
    if (!trained.has(network) && name !== withoutBatchNorm) {
      testInference(device, expected);
      return;
    }
    testEvaluation(device, expected);
    if (trained.has(network)) testTraining(device, expected);
  });
});
