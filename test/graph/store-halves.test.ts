import { expect, test } from 'vitest';
import { InternalError, required } from '../../src/base/errors.ts';
import { storeAsHalves } from '../../src/gpu/shader.ts';
import { gradients } from '../../src/graph/autograd.ts';
import { runGuarded } from '../../src/graph/check/check-case.ts';
import { valuesOf } from '../../src/graph/check/compare.ts';
import { Graph, type Tensor } from '../../src/graph/graph.ts';
import { optimise } from '../../src/graph/passes/index.ts';
import { bceWithLogits } from '../../src/kernels/bce-with-logits.ts';
import { given } from '../../src/kernels/draw.ts';
import { copy } from '../../src/kernels/elementwise.ts';
import { findModel } from '../../src/models/index.ts';
import { Network } from '../../src/models/network.ts';
import { planTrainingMemory } from '../../src/train/memory.ts';
import { describeWithHalves } from '../support/adapter.ts';
import { SOFTWARE_TRAITS } from '../support/traits.ts';
import { useDevice } from '../support/use-device.ts';

/** A stem whose map two layers and a head read, one after the other: a dense block. */
function denseBlock() {
  const graph = new Graph();
  const network = new Network(graph, { training: true, step: graph.input('step', [1], 'u32') });
  const image = graph.input('image', [2, 8, 8, 4]);
  let x = network.conv2d('stem', image, { channels: 8, kernel: 3, padding: 1 });
  for (const name of ['one', 'two']) {
    const normalised = network.batchNorm(`${name}.norm`, x, { activation: 'relu' });
    x = network.concat([x, network.conv2d(`${name}.conv`, normalised, { channels: 4, kernel: 3, padding: 1 })]);
  }
  const logits = network.linear('head', network.globalAvgPool2d(x), 1);
  const [loss] = graph.emit(bceWithLogits, [logits, graph.input('targets', [2])], { positiveWeight: 1 }) as [Tensor];
  const parameters = network.states.filter(({ spec }) => spec.kind === 'parameter').map(({ tensor }) => tensor);
  const found = gradients(graph, parameters, [loss]);
  return { graph, loss, logits, image, results: new Set([loss, ...found.values()]) };
}

test('maps are stored in f16; state, statistics, logits and sums of gradients in f32', () => {
  const { graph, results, image } = denseBlock();
  optimise(graph, results, [], undefined, { ...SOFTWARE_TRAITS, storesHalves: true });
  const typesOf = (name: string) =>
    new Set(graph.nodes.filter(({ op }) => op.name === name).map(({ outputs: [first] }) => first?.dtype));
  expect(image.dtype).toBe('f32');
  expect(typesOf('conv2d')).toEqual(new Set(['f16', 'f32'])); // f32: the logits
  expect(typesOf('concat')).toEqual(new Set(['f16', 'f32'])); // f32: the moments
  for (const name of ['batch_norm_fold', 'conv2d_weight_gradient', 'global_avg_pool2d']) {
    expect([name, typesOf(name)]).toEqual([name, new Set(['f32'])]);
  }
  for (const { op, outputs } of graph.nodes) {
    outputs.forEach(({ dtype }, index) => {
      if (/moments|dweight/.test(op.outputs[index] ?? '')) expect([op.name, dtype]).toEqual([op.name, 'f32']);
    });
  }
  const added = graph.nodes.filter(({ op, inputs }) =>
    op.inputs.some((name, slot) => name === 'into?' && inputs[slot]),
  );
  expect(added.length).toBeGreaterThan(1);
  for (const { outputs } of added) expect(outputs[0]?.dtype).toBe('f32');
  for (const { inputs, outputs, op } of graph.nodes) {
    if (op.view || op.joins) expect(new Set([...inputs, ...outputs].map((tensor) => tensor?.dtype)).size).toBe(1);
  }
});

test('nothing changes where f16 is not asked for', () => {
  const { graph, results } = denseBlock();
  optimise(graph, results);
  expect(graph.nodes.flatMap(({ outputs }) => outputs).filter(({ dtype }) => dtype === 'f16')).toEqual([]);
});

test('a plan for training needs less memory', () => {
  const sizes = { batchSize: 2, imageSize: 64 };
  const [f32, f16] = (['f32', 'f16'] as const).map((precision) =>
    planTrainingMemory(findModel('densenet121'), { ...sizes, precision }),
  );
  expect(f16?.state).toBe(f32?.state);
  expect(f16?.activations).toBeLessThan(0.65 * (f32?.activations ?? 0));
});

test('a binding in f16 changes the alias of its elements alone, and no line moves', () => {
  const source = [
    '// y = x',
    'alias T = vec4f;',
    'alias X = T;',
    'alias Y = T;',
    '@group(0) @binding(1) var<storage, read> x: array<X>;',
    '@group(0) @binding(2) var<storage, read_write> y: array<Y>;',
    '@group(0) @binding(3) var<storage, read> w: array<T>;',
  ].join('\n');
  expect(storeAsHalves(source, [])).toBe(source);
  expect(storeAsHalves(source, ['y'])).toBe(`enable f16; ${source.replace('alias Y = T;', 'alias Y = vec4h;')}`);
  expect(storeAsHalves(source.replace('vec4f', 'f32'), ['x'])).toContain('alias X = f16;');
  expect(() => storeAsHalves(source, ['w'])).toThrow(InternalError);
});

describeWithHalves('on the adapter', () => {
  const device = useDevice();

  test('what is too large for f16 is stored as infinity, by which an overflow is seen', async () => {
    const graph = new Graph();
    const x = graph.input('x', [1, 1, 2, 4]);
    const [y] = graph.emit(copy, [x], {}) as [Tensor];
    y.dtype = 'f16';
    const large = [1e5, -1e5, 3e38, -3e38];
    const values = new Map([[x, given(x.shape, [0, 65504, -65504, 1.5, ...large])]]);
    const { results } = await runGuarded({ device: device(), graph, values, results: [y] });
    const infinities = large.map((value) => value * Number.POSITIVE_INFINITY);
    expect([...valuesOf(required(results.get(y), 'y'), 'f16')]).toEqual([0, 65504, -65504, 1.5, ...infinities]);
  });
});
