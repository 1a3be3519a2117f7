import { describe } from 'vitest';
import { Graph } from '../../src/graph/graph.ts';
import { optimise, type PassName, passNames } from '../../src/graph/passes/index.ts';
import type { ModelDefinition } from '../../src/models/definition.ts';
import { inception } from '../../src/models/inception.ts';
import { findModel } from '../../src/models/index.ts';
import { Network } from '../../src/models/network.ts';
import { traceLoss } from '../../src/models/trace.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { readGolden } from '../support/golden.ts';
import { SOFTWARE_TRAITS } from '../support/traits.ts';
import { useDevice } from '../support/use-device.ts';
import { branchesOf, type Fixture, type Tipped } from './fixture.ts';
import { testLogits, testTrainingPasses } from './pytorch.ts';
import { ALL } from './tier.ts';

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

/** The ops of a training step, with their sizes and attributes. */
function opsWithout(
  definition: ModelDefinition,
  [images = 0, , size = 0]: readonly number[],
  without: PassName[],
): string {
  const graph = new Graph();
  const network = new Network(graph, { training: true, dropout: 0 });
  const image = network.declarePadded(graph.input('image', [images, size, size, 4]), 3);
  const targets = graph.input('targets', [images]);
  const { loss, gradients } = traceLoss(network, definition, { image, targets, outputs: 1 });
  const kept = new Set([loss, ...gradients.map(({ gradient }) => gradient)]);
  optimise(graph, kept, without, Number.POSITIVE_INFINITY, SOFTWARE_TRAITS);
  const nodes = graph.nodes.map(({ op, inputs, attributes }) => [op.name, inputs.map((one) => one?.shape), attributes]);
  return JSON.stringify(nodes);
}

/** The passes that do something in a network. */
function passesOf(definition: ModelDefinition, shape: readonly number[]): PassName[] {
  const whole = opsWithout(definition, shape, []);
  return passNames.filter((pass) => opsWithout(definition, shape, [pass]) !== whole);
}

describeOnFastAdapter('without passes of the graph', () => {
  const device = useDevice();

  describe.each(networks)('$name', ({ definition, branches }) => {
    testLogits(device, { definition, branches });
    // Inception takes longest, and its passes are those of the others.
    const single = ALL || definition.name !== 'inception_v3' ? passesOf(definition, branches[0].input_shape) : [];
    testTrainingPasses(device, { definition, branches }, single);
  });
});
