import { expect, test } from 'vitest';
import { Graph, type Tensor } from '../../src/graph/graph.ts';
import { optimise, type PassName } from '../../src/graph/passes/index.ts';
import { batchNormApply } from '../../src/kernels/batch-norm/index.ts';
import { conv2d } from '../../src/kernels/conv2d/index.ts';
import { activate, add } from '../../src/kernels/elementwise.ts';
import { Network } from '../../src/models/network.ts';

const conv = (network: Network, name: string, x: Tensor): Tensor =>
  network.conv2d(name, x, { channels: 8, kernel: 3, padding: 1 });

/** A block that ends in a residual sum, its normalised branch read by nothing else. */
function block(training: boolean, without: readonly PassName[] = []): (op: unknown) => number {
  const graph = new Graph();
  const network = new Network(graph, { training });
  const x = conv(network, 'stem', graph.input('image', [2, 6, 6, 4]));
  const inner = network.batchNorm('norm1', conv(network, 'conv1', x), { activation: 'relu' });
  const branch = network.batchNorm('norm2', conv(network, 'conv2', inner));
  const result = network.activate(network.add(branch, x), 'relu');
  optimise(graph, new Set([result]), without);
  return (op) => graph.nodes.filter((node) => node.op === op).length;
}

test('in evaluation convolutions write the end of a residual block', () => {
  const count = block(false);
  expect([conv2d, batchNormApply, add, activate].map(count)).toEqual([3, 0, 0, 0]);
});

test('in training the normalisation of the branch does, since its statistics are those of the batch', () => {
  const count = block(true);
  expect([conv2d, batchNormApply, add, activate].map(count)).toEqual([3, 1, 0, 0]);
});

test.each<[PassName, number[]]>([
  ['normalise-output', [3, 1, 0, 0]],
  ['add-to-output', [3, 0, 1, 1]],
  ['activate-output', [3, 0, 0, 1]],
])('without %s', (pass, expected) => {
  const count = block(false, [pass]);
  expect([conv2d, batchNormApply, add, activate].map(count)).toEqual(expected);
});

test('what is read elsewhere too, is kept or is activated already stays as it is', () => {
  const graph = new Graph();
  const network = new Network(graph, { training: false });
  const x = conv(network, 'conv1', graph.input('image', [1, 5, 5, 4]));
  const z = network.batchNorm('norm1', x, { activation: 'relu6' });
  const readTwice = conv(network, 'conv2', z);
  const normalised = network.batchNorm('norm2', readTwice);
  const activated = network.activate(network.activate(normalised, 'relu6'), 'relu');
  const kept = conv(network, 'conv3', activated);
  const results = [network.add(readTwice, activated), kept, network.activate(kept, 'relu')];
  optimise(graph, new Set(results));
  const ops = graph.nodes.map(({ op, scope }) => `${scope} ${op.name}`.trim());
  expect(ops.filter((op) => !op.endsWith('batch_norm_fold'))).toEqual([
    'conv1 conv2d',
    'conv2 conv2d',
    'norm2 batch_norm_apply',
    'activation',
    'conv3 conv2d',
    'add',
    'activation',
  ]);
});
