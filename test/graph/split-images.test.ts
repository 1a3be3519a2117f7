import { describe, expect, test } from 'vitest';
import { elementCount, type Shape } from '../../src/base/shape.ts';
import { compareResults, runGuarded } from '../../src/graph/check/check-case.ts';
import type { Expected } from '../../src/graph/check/expected.ts';
import { Graph, type Node, type Tensor } from '../../src/graph/graph.ts';
import { imageRanges } from '../../src/graph/passes/image-parts.ts';
import { optimise, type PassName, passNames } from '../../src/graph/passes/index.ts';
import { storeHalves } from '../../src/graph/passes/store-halves.ts';
import { planGraph } from '../../src/graph/plan.ts';
import { Program } from '../../src/graph/program.ts';
import { bceWithLogits } from '../../src/kernels/bce-with-logits.ts';
import { concat, concatImages } from '../../src/kernels/concat.ts';
import { conv2d } from '../../src/kernels/conv2d/index.ts';
import { activate, copy } from '../../src/kernels/elementwise.ts';
import { globalAvgPool2d } from '../../src/kernels/pool2d/index.ts';
import type { Network } from '../../src/models/network.ts';
import { describeWithHalves } from '../support/adapter.ts';
import { MODES } from '../support/device.ts';
import { SOFTWARE_TRAITS } from '../support/traits.ts';
import { useDevice } from '../support/use-device.ts';
import { type Build, distanceToKinks, expectedByNumber, type Training, trace } from './training.ts';

const SHAPE = [5, 9, 7, 4];

const conv = (network: Network, name: string, x: Tensor, channels: number, kernel = 3): Tensor =>
  network.conv2d(name, x, { channels, kernel, padding: (kernel - 1) / 2 });

/** As VGG: convolutions with biases, ReLU, max pooling, dropout in the head. */
const plain: Build = (network, image) => {
  let x = network.conv2d('conv1', image, { channels: 16, kernel: 3, padding: 1, bias: true });
  x = network.activate(x, 'relu');
  x = network.maxPool2d('pool1', x, { kernel: 2 });
  x = network.activate(network.conv2d('conv2', x, { channels: 8, kernel: 3, padding: 1, bias: true }), 'relu');
  x = network.activate(network.conv2d('conv3', x, { channels: 32, kernel: 1, bias: true }), 'relu');
  x = network.maxPool2d('pool2', x, { kernel: 2 });
  x = network.dropout('drop', network.conv2d('conv4', x, { channels: 8, kernel: 1, bias: true }), 0.4);
  return network.linear('fc', network.globalAvgPool2d(x), 1);
};

/** A dense block whose concatenations do not fit while their parts do, and a transition. */
const dense =
  (growth: number): Build =>
  (network, image) => {
    let x = network.batchNorm('norm0', conv(network, 'conv0', image, 2 * growth), { activation: 'relu' });
    for (let layer = 1; layer <= 3; layer++) {
      let y = network.batchNorm(`layer${layer}.norm1`, x, { activation: 'relu' });
      y = network.batchNorm(`layer${layer}.norm2`, conv(network, `layer${layer}.conv1`, y, 8, 1), {
        activation: 'relu',
      });
      x = network.concat([x, conv(network, `layer${layer}.conv2`, y, growth)]);
    }
    x = conv(network, 'transition.conv', network.batchNorm('transition.norm', x, { activation: 'relu' }), 12, 1);
    x = network.avgPool2d('transition.pool', x, { kernel: 2 });
    return network.linear('fc', network.globalAvgPool2d(network.batchNorm('norm', x, { activation: 'relu' })), 1);
  };

/** Inverted bottlenecks: wide maps that do not fit between narrow ones that are added up, and groups. */
const residual: Build = (network, image) => {
  let x = network.batchNorm('norm0', conv(network, 'conv0', image, 4));
  for (const block of ['block1', 'block2']) {
    let y = network.batchNorm(`${block}.norm1`, conv(network, `${block}.expand`, x, 16, 1), { activation: 'relu6' });
    y = network.conv2d(`${block}.depth`, y, { channels: 16, kernel: 3, padding: 1, groups: 16 });
    y = network.batchNorm(`${block}.norm2`, y, { activation: 'relu6' });
    x = network.add(x, network.batchNorm(`${block}.norm3`, conv(network, `${block}.project`, y, 4, 1)));
  }
  const wide = network.activate(network.add(conv(network, 'wide1', x, 12), conv(network, 'wide2', x, 12)), 'relu');
  return network.linear('fc', network.globalAvgPool2d(network.add(wide, network.dropout('drop', wide, 0.3))), 1);
};

/** Branches whose channels are no multiples of four, beside a map that is read again after its concatenation. */
const branches: Build = (network, image) => {
  const x = network.conv2d('stem', image, { channels: 5, kernel: 3, padding: 1, bias: true });
  const pooled = network.maxPool2d('max', x, { kernel: 3, stride: 1, padding: 1 });
  const averaged = network.avgPool2d('average', x, { kernel: 3, stride: 1, padding: 1 });
  const all = network.concat([pooled, conv(network, 'branch', x, 4), x, averaged]);
  const small = network.conv2d('small', network.batchNorm('norm', all, { activation: 'relu' }), {
    channels: 3,
    kernel: 3,
    stride: 2,
  });
  const again = network.concat([network.globalAvgPool2d(small), network.globalAvgPool2d(all)]);
  return network.linear('fc', again, 1);
};

/** A tensor that fits, of which one reader takes all images and others ranges; its gradient is a sum of all. */
const mixed: Build = (network, image) => {
  const x = conv(network, 'stem', image, 4);
  const wide = conv(network, 'narrow', network.activate(conv(network, 'wide', x, 16), 'relu'), 4);
  const sum = network.add(network.add(conv(network, 'same', x, 4), x), wide);
  const slices = network.concat([sum, conv(network, 'beside', sum, 8), x]);
  return network.linear('fc', network.globalAvgPool2d(conv(network, 'last', slices, 4)), 1);
};

/** A gradient that is handed on to several tensors: ranges are added to it in place while others still read the whole. */
const handing: Build = (network, image) => {
  const u = conv(network, 'stem', image, 4);
  const b = conv(network, 'b', u, 4);
  const a = conv(network, 'a', u, 4);
  const c = conv(network, 'narrow', network.activate(conv(network, 'wide', a, 16), 'relu'), 4);
  return network.linear('fc', network.globalAvgPool2d(network.add(network.add(b, a), c)), 1);
};

const networks = [
  { name: 'a plain network', build: plain },
  { name: 'a dense network', build: dense(8) },
  { name: 'a dense network of odd channels', build: dense(7) },
  { name: 'a residual network', build: residual },
  { name: 'a network of branches', build: branches },
  { name: 'a network of cut and whole maps', build: mixed },
  { name: 'a network of shared gradients', build: handing },
].map((network) => ({ ...network, traced: () => trace(network.name, network.build, SHAPE) }));

const bytesOf = ({ shape }: Tensor): number => 4 * elementCount(shape);
const tensorsOf = ({ nodes }: Graph): Tensor[] =>
  nodes.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]).filter((tensor) => tensor !== undefined);

/** The least that has to be bound at once: what cannot be cut, and one image of what can. */
const smallestBinding = ({ graph, results }: Training): number =>
  Math.max(
    ...tensorsOf(graph).map((tensor) => {
      const isBatch = tensor.role === 'intermediate' && !results.includes(tensor) && tensor.shape.length === 4;
      return isBatch ? bytesOf(tensor) / (tensor.shape[0] ?? 1) : bytesOf(tensor);
    }),
  );

const ids = (tensors: readonly (Tensor | undefined)[]) => tensors.map((tensor) => tensor?.id);
const describeNode = ({ op, inputs, outputs, attributes }: Node) =>
  JSON.stringify([op.name, ids(inputs), ids(outputs), attributes]);

const expectations = networks.map((network) => expectedByNumber(network.traced()));

const choices: readonly (readonly PassName[])[] = [[], passNames];

describe.each(MODES)('$name', (mode) => {
  const device = useDevice(mode);

  describe.each(networks.map((network, index) => ({ ...network, expected: expectations[index] as Expected[] })))(
    '$name',
    ({ name, traced, expected }) => {
      const smallest = smallestBinding(traced());

      test('is not near a kink, where float32 and float64 may differ', () => {
        expect(distanceToKinks(traced())).toBeGreaterThan(1e-5);
      });

      test.each(choices.flatMap((without) => [1, 1.5, 2.1].map((factor) => ({ factor, without }))))(
        'loss, gradients and running statistics are right in parts of $factor times the smallest binding, without $without',
        async ({ factor, without }) => {
          const { graph, values, results } = traced();
          const maxBindingBytes = factor * smallest;
          const run = await runGuarded({ device: device(), graph, values, results, without, maxBindingBytes });
          expect(Math.max(...tensorsOf(graph).map(bytesOf))).toBeLessThanOrEqual(maxBindingBytes);
          const wanted = new Map(results.map((tensor, number) => [tensor, expected[number] as Expected]));
          const lines = [...compareResults(name, run.results, wanted), ...run.overruns];
          if (lines.length > 0) expect.fail(lines.join('\n'));
        },
      );

      test('buffers that serve several tensors change no bit, nor does a second run', async () => {
        const bits = async (guarded: boolean, runs: number) => {
          const { graph, values, results } = traced();
          const program = await Program.compile(device(), graph, { results, guarded, maxBindingBytes: smallest });
          for (let run = 0; run < runs; run++) {
            for (const [tensor, input] of values) if (program.uses(tensor)) program.write(tensor, input.values);
            program.run();
          }
          const read = await Promise.all(results.map(async (tensor) => new Uint32Array(await program.read(tensor))));
          program.destroy();
          return read;
        };
        const alone = await bits(true, 1);
        expect(await bits(false, 1)).toEqual(alone);
        expect(await bits(false, 3)).toEqual(alone);
      });
    },
  );
});

describeWithHalves('maps in f16', () => {
  const device = useDevice({ precision: 'f16' });

  test.each(networks.slice(1, 2))('$name is right in parts', async ({ name, traced }) => {
    const stored = traced();
    storeHalves(stored.graph, new Set(stored.results));
    const expected = expectedByNumber(stored);
    const { graph, values, results } = traced();
    const maxBindingBytes = smallestBinding(traced());
    const run = await runGuarded({ device: device(), graph, values, results, maxBindingBytes });
    expect(graph.nodes.filter(({ op }) => op === concatImages).length).toBeGreaterThan(0);
    expect(tensorsOf(graph).filter(({ dtype }) => dtype === 'f16').length).toBeGreaterThan(20);
    const wanted = new Map(results.map((tensor, number) => [tensor, expected[number] as Expected]));
    const lines = [...compareResults(name, run.results, wanted), ...run.overruns];
    if (lines.length > 0) expect.fail(lines.join('\n'));
  });
});

describe('the graph', () => {
  test.each(networks)('of $name is cut', ({ traced }) => {
    const training = traced();
    const before = training.graph.nodes.length;
    optimise(training.graph, new Set(training.results), [], smallestBinding(training));
    expect(training.graph.nodes.length).toBeGreaterThan(before);
  });

  test.each(networks)('of $name stays as it is where everything fits', ({ traced }) => {
    const nodesOf = (maxBindingBytes?: number) => {
      const { graph, results } = traced();
      optimise(graph, new Set(results), [], maxBindingBytes);
      return { nodes: graph.nodes.map(describeNode), largest: Math.max(...tensorsOf(graph).map(bytesOf)) };
    };
    const { nodes, largest } = nodesOf();
    expect(nodesOf(largest).nodes).toEqual(nodes);
  });

  test.each(networks)('of $name copies no more than where everything fits', ({ traced }) => {
    const copied = (maxBindingBytes?: number) => {
      const { graph, results } = traced();
      optimise(graph, new Set(results), [], maxBindingBytes);
      const external = new Map(
        tensorsOf(graph)
          .filter((tensor) => tensor.role !== 'intermediate')
          .map((tensor) => [tensor, { storage: tensor, offset: 0 }] as const),
      );
      const { launches } = planGraph(graph, SOFTWARE_TRAITS, { kept: new Set(results), external });
      return launches
        .filter(({ node }) => node.op === copy)
        .reduce((sum, { node }) => sum + bytesOf(node.outputs[0] as Tensor), 0);
    };
    expect(copied(smallestBinding(traced()))).toBeLessThanOrEqual(copied());
  });
});

describe('what cannot be cut', () => {
  /** Cuts the graph of a convolution of x with a weight; every tensor is larger than the limit in its turn. */
  const cut =
    (x: Shape, weight: Shape, maxBindingBytes: number, kept: 'y' | 'z' = 'z') =>
    () => {
      const graph = new Graph();
      graph.scope = 'layer';
      const [image] = graph.emit(activate, [graph.input('image', x)], { activation: 'relu' });
      const operands = [image, graph.state('layer.weight', weight)];
      const [y] = graph.emit(conv2d, operands, { stride: [1, 1], padding: [0, 0], groups: 1 });
      const [z] = graph.emit(globalAvgPool2d, [y], {});
      optimise(graph, new Set([{ y, z }[kept] as Tensor]), [], maxBindingBytes);
    };
  const MIB = 2 ** 20;

  test('an image is too large', () => {
    expect(cut([4, 512, 512, 4], [1, 1, 4, 4], 20 * MIB)).not.toThrow();
    expect(cut([1, 1024, 512, 1], [1, 1, 1, 64], 20 * MIB)).toThrowErrorMatchingInlineSnapshot(
      `[OutOfMemoryError: one image of layer/conv2d.y needs a buffer of 128 MiB but this adapter binds at most 20 MiB at once: use a smaller --image-size, --batch-size or --micro-batch]`,
    );
  });

  test('a parameter is too large', () => {
    expect(cut([4, 1, 1, 2048], [1, 1, 2048, 2048], 12 * MIB)).toThrowErrorMatchingInlineSnapshot(
      `[OutOfMemoryError: layer.weight needs a buffer of 16 MiB but this adapter binds at most 12 MiB at once: use a smaller --image-size, --batch-size or --micro-batch]`,
    );
  });

  test('an input is too large', () => {
    expect(cut([4, 512, 512, 4], [1, 1, 4, 4], 12 * MIB)).toThrowErrorMatchingInlineSnapshot(
      `[OutOfMemoryError: image needs a buffer of 16 MiB but this adapter binds at most 12 MiB at once: use a smaller --image-size, --batch-size or --micro-batch]`,
    );
  });

  test('a result is too large', () => {
    expect(cut([4, 512, 512, 4], [1, 1, 4, 8], 20 * MIB, 'z')).not.toThrow();
    expect(cut([4, 512, 512, 4], [1, 1, 4, 8], 20 * MIB, 'y')).toThrowErrorMatchingInlineSnapshot(
      `[OutOfMemoryError: layer/conv2d.y needs a buffer of 32 MiB but this adapter binds at most 20 MiB at once: use a smaller --image-size, --batch-size or --micro-batch]`,
    );
  });

  test('an op does not work image by image', () => {
    const graph = new Graph();
    const [logits] = graph.emit(activate, [graph.input('logits', [2, 1, 1, 4])], { activation: 'relu' });
    const [wide] = graph.emit(concat, [logits, logits], {});
    const [loss] = graph.emit(bceWithLogits, [wide, graph.input('targets', [16])], { positiveWeight: 1 });
    expect(() => optimise(graph, new Set([loss as Tensor]), [], 63)).toThrow(/^\/concat\.y needs a buffer/);
  });
});

describe('imageRanges', () => {
  test('are not empty, follow each other, and lie within those of half as many', () => {
    expect(imageRanges(5, 1)).toEqual([{ first: 0, count: 5 }]);
    expect(imageRanges(5, 2)).toEqual([
      { first: 0, count: 2 },
      { first: 2, count: 3 },
    ]);
    expect(imageRanges(5, 4).map(({ count }) => count)).toEqual([1, 1, 1, 2]);
    expect(imageRanges(5, 8).map(({ count }) => count)).toEqual([1, 1, 1, 1, 1]);
    expect(imageRanges(16, 4).map(({ first }) => first)).toEqual([0, 4, 8, 12]);
  });
});
