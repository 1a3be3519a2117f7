import { describe, expect, test } from 'vitest';
import { gradients } from '../../src/graph/autograd.ts';
import { Graph } from '../../src/graph/graph.ts';
import { optimise } from '../../src/graph/passes/index.ts';
import { batchNormCorrection, batchNormDataGradient, batchNormMoments } from '../../src/kernels/batch-norm/index.ts';
import { conv2dBatchNormGradient, conv2dMoments } from '../../src/kernels/conv2d/index.ts';
import type { OpDefinition } from '../../src/kernels/definition.ts';
import { Network } from '../../src/models/network.ts';

const SOFTWARE = {
  kind: 'software',
  maxBindingBytes: 2 ** 27,
  maxBufferBytes: 2 ** 27,
  workgroupBytes: 16384,
  workgroupThreads: 256,
  expectedFlops: 1e10,
} as const;

/** The ops of two convolutions with a normalisation between, forward and backward, where `wrong` variants are wrong. */
function opsOf(...wrong: readonly (readonly [op: OpDefinition, ...variants: string[]])[]): Set<OpDefinition> {
  const graph = new Graph();
  const network = new Network(graph, { training: true });
  const x = network.conv2d('first', graph.input('image', [2, 6, 6, 4]), { channels: 8, kernel: 3 });
  const y = network.conv2d('second', network.batchNorm('norm', x, { activation: 'relu' }), { channels: 8, kernel: 1 });
  const parameters = network.states.filter(({ spec }) => spec.kind === 'parameter').map(({ tensor }) => tensor);
  const found = gradients(graph, parameters, [], new Map([[y, graph.input('seed', y.shape)]]));
  const entries = wrong.flatMap(([op, ...variants]) =>
    variants.map((variant) => ({ op: op.name, variant, size: 'another size', fault: 'it differs' })),
  );
  optimise(graph, new Set([y, ...found.values()]), [], Number.POSITIVE_INFINITY, SOFTWARE, entries);
  return new Set(graph.nodes.map(({ op }) => op));
}

const everyVariantOf = (op: OpDefinition) => [op, ...op.variants.map(({ name }) => name)] as const;

describe('a fusion whose op has no right variant on the adapter is left out', () => {
  test('of moments', () => {
    expect(opsOf()).toContain(conv2dMoments);
    expect(opsOf()).not.toContain(batchNormMoments);
    const ops = opsOf(everyVariantOf(conv2dMoments));
    expect(ops).not.toContain(conv2dMoments);
    expect(ops).toContain(batchNormMoments);
  });

  test.each([conv2dBatchNormGradient, batchNormCorrection])('of gradients, for $name', (op) => {
    expect(opsOf()).toContain(conv2dBatchNormGradient);
    expect(opsOf()).not.toContain(batchNormDataGradient);
    const ops = opsOf(everyVariantOf(op));
    expect(ops).not.toContain(conv2dBatchNormGradient);
    expect(ops).not.toContain(batchNormCorrection);
    expect(ops).toContain(batchNormDataGradient);
  });

  test('and not one whose wrong variants are others than those that fit', () => {
    expect(opsOf([conv2dMoments, 'depthwise', 'gone'], [conv2dBatchNormGradient, 'gone'])).toEqual(opsOf());
  });
});
