import { expect, test } from 'vitest';
import { gradients } from '../../src/graph/autograd.ts';
import { Graph, type Tensor } from '../../src/graph/graph.ts';
import { optimise } from '../../src/graph/passes/index.ts';
import { conv2d, conv2dBatchNormGradient, conv2dWeightGradient } from '../../src/kernels/conv2d/index.ts';
import { Network } from '../../src/models/network.ts';

interface Transition {
  readonly kernel?: number;
  readonly stride?: number;
  readonly bias?: boolean;
  /** The convolution's result is read by something else too. */
  readonly shared?: boolean;
  /** Stride of the pool. */
  readonly pool?: number;
}

/** Rows of pixels that the convolution works on: of its result forward, its result's and its input's gradient backward. */
function pixelsOf({ kernel = 1, stride = 1, bias = false, shared = false, pool = 2 }: Transition): number[] {
  const graph = new Graph();
  const network = new Network(graph, { training: true });
  const x = network.conv2d('stem', graph.input('image', [2, 8, 8, 4]), { channels: 8, kernel: 3, padding: 1 });
  const z = network.batchNorm('norm', x, { activation: 'relu' });
  const y = network.conv2d('conv', z, { channels: 4, kernel, stride, bias, padding: (kernel - 1) / 2 });
  const pooled = network.avgPool2d('pool', y, { kernel: 2, stride: pool });
  const results = shared ? [pooled, network.activate(y, 'relu')] : [pooled];
  const parameters = network.states.filter(({ spec }) => spec.kind === 'parameter').map(({ tensor }) => tensor);
  const seeds = new Map(results.map((result): [Tensor, Tensor] => [result, graph.input('seed', result.shape)]));
  const found = gradients(graph, parameters, [], seeds);
  optimise(graph, new Set([...results, ...found.values()]));
  const height = (op: unknown, tensor: 'input' | 'output', slot: number) => {
    const node = graph.nodes.find((one) => one.op === op && one.scope !== 'stem');
    return (tensor === 'input' ? node?.inputs : node?.outputs)?.[slot]?.shape[1] ?? 0;
  };
  return [
    height(conv2d, 'output', 0),
    height(conv2dWeightGradient, 'input', 1),
    height(conv2dBatchNormGradient, 'output', 0),
  ];
}

test('a 1x1 convolution before an average pool works on the pooled pixels, forward and backward', () => {
  // The gradient of the input goes on through the pool, so that no convolution writes it.
  expect(pixelsOf({})).toEqual([4, 4, 0]);
});

test.each<[string, Transition, number[]]>([
  ['a larger kernel', { kernel: 3 }, [8, 8, 8]],
  ['a stride', { stride: 2 }, [4, 4, 8]],
  ['a bias', { bias: true }, [8, 8, 8]],
  ['another reader', { shared: true }, [8, 8, 8]],
  ['a pool that hardly shrinks it', { pool: 1 }, [7, 7, 0]],
])('a convolution with %s', (_, transition, expected) => {
  expect(pixelsOf(transition)).toEqual(expected);
});

test('a larger convolution of the same input before a pool of its own keeps its gradient', () => {
  const graph = new Graph();
  const network = new Network(graph, { training: true });
  const z = network.activate(graph.input('image', [2, 8, 8, 4]), 'relu');
  const branch = (name: string, kernel: number) => {
    const y = network.conv2d(name, z, { channels: 4, kernel, padding: (kernel - 1) / 2 });
    return network.avgPool2d(`${name}.pool`, y, { kernel: 2 });
  };
  const results = [branch('pointwise', 1), branch('larger', 3)];
  const parameters = network.states.map(({ tensor }) => tensor);
  const seeds = new Map(results.map((result): [Tensor, Tensor] => [result, graph.input('seed', result.shape)]));
  const found = gradients(graph, parameters, [], seeds);
  optimise(graph, new Set([...results, ...found.values()]));
  const weightGradients = graph.nodes.filter(({ op }) => op === conv2dWeightGradient);
  const heights = weightGradients.map(({ scope, inputs }) => [scope, inputs[0]?.shape[1], inputs[1]?.shape[1]]);
  expect(Object.fromEntries(heights.map(([scope, ...sizes]) => [scope, sizes]))).toEqual({
    pointwise: [4, 4],
    larger: [8, 8],
  });
});
