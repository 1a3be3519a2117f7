import { describe, expect, test } from 'vitest';
import { elementCount } from '../../src/base/shape.ts';
import { gradients } from '../../src/graph/autograd.ts';
import { Graph, type Tensor } from '../../src/graph/graph.ts';
import { optimise, type PassName } from '../../src/graph/passes/index.ts';
import { batchNormCorrection, batchNormDataGradient } from '../../src/kernels/batch-norm/index.ts';
import { conv2dBatchNormGradient } from '../../src/kernels/conv2d/index.ts';
import { Network } from '../../src/models/network.ts';

const LAYERS = 5;
const PIXELS = 2 * 6 * 6;

/** The gradients of a dense block of 1x1 convolutions that write four channels each, on a stem of eight. */
function trace(without: readonly PassName[], { training = true, groups = 1 } = {}): Graph {
  const graph = new Graph();
  const network = new Network(graph, { training });
  let x = network.conv2d('stem', graph.input('image', [2, 6, 6, 4]), { channels: 8, kernel: 1 });
  for (let layer = 1; layer <= LAYERS; layer++) {
    const z = network.batchNorm(`norm${layer}`, x, { activation: 'relu' });
    x = network.concat([x, network.conv2d(`conv${layer}`, z, { channels: 4, kernel: 1, groups })]);
  }
  const seed = graph.input('seed', x.shape);
  const parameters = network.states.filter(({ spec }) => spec.kind === 'parameter').map(({ tensor }) => tensor);
  const found = gradients(graph, parameters, [], new Map<Tensor, Tensor>([[x, seed]]));
  optimise(graph, new Set(found.values()), without);
  return graph;
}

const count = (graph: Graph, op: unknown): number => graph.nodes.filter((node) => node.op === op).length;

const corrected = (graph: Graph): number =>
  graph.nodes
    .filter(({ op }) => op === batchNormCorrection)
    .reduce((sum, { outputs: [dx] }) => sum + elementCount(dx?.shape ?? []), 0);

describe('the epilogue of data gradients', () => {
  test('takes the place of every gradient of a normalisation behind which a convolution is', () => {
    expect(count(trace(['epilogue']), batchNormDataGradient)).toBe(LAYERS);
    expect(count(trace([]), batchNormDataGradient)).toBe(0);
    expect(count(trace([]), conv2dBatchNormGradient)).toBe(LAYERS);
  });

  test('is left out where the op does not offer it for these shapes', () => {
    expect(count(trace([], { groups: 2 }), batchNormDataGradient)).toBe(LAYERS);
    expect(count(trace([], { groups: 2 }), conv2dBatchNormGradient)).toBe(0);
  });

  test('needs no correction where the statistics are fixed', () => {
    expect(corrected(trace([], { training: false }))).toBe(0);
  });

  test('corrects every channel of a dense block once, not once a layer', () => {
    const widths = Array.from({ length: LAYERS }, (_, layer) => 8 + 4 * layer);
    expect(corrected(trace(['defer-corrections']))).toBe(PIXELS * widths.reduce((sum, width) => sum + width, 0));
    expect(corrected(trace([]))).toBe(PIXELS * (widths[LAYERS - 1] as number));
  });
});
