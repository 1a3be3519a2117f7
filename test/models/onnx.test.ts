import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { elementCount, type Shape } from '../../src/base/shape.ts';
import { interpret } from '../../src/graph/check/interpret.ts';
import { Graph, type Tensor } from '../../src/graph/graph.ts';
import { normalisedByte } from '../../src/kernels/augment.reference.ts';
import type { ReferenceTensor } from '../../src/kernels/reference.ts';
import type { ModelDefinition } from '../../src/models/definition.ts';
import { findModel, models } from '../../src/models/index.ts';
import { stateKeys, stateSpecs } from '../../src/models/model.ts';
import { Network } from '../../src/models/network.ts';
import { exportOnnx } from '../../src/models/onnx/index.ts';
import { operators } from '../../src/models/onnx/operators.ts';
import { toDevice } from '../../src/models/state-layout.ts';
import { floatTensor, type StateDict, toFloat32 } from '../../src/weights/tensor-data.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { formulaInput } from '../support/formula.ts';
import { readGolden } from '../support/golden.ts';
import { type Fixture, formulaState, toDeviceImages } from './fixture.ts';
import { decodeOnnx } from './onnx-file.ts';
import { runOnnx } from './onnx-interpreter.ts';

const densenet = findModel('densenet121');
const fixture = readGolden<Fixture>('networks/densenet121.json.gz');
const formula = formulaState({ specs: stateSpecs(densenet, 1) }, fixture.gain);

describe('DenseNet-121', () => {
  const model = decodeOnnx(exportOnnx(densenet, 'formula', formula, { imageSize: 64, producerVersion: '1.2.3' }));

  test('says what it is', () => {
    const { irVersion, producer, opset, metadata, name, inputs, outputs } = model;
    expect({ irVersion, producer, opset, metadata, name, inputs, outputs }).toEqual({
      irVersion: 8,
      producer: ['murad', '1.2.3'],
      opset: ['', 17],
      metadata: { model: 'densenet121', image_size: '64' },
      name: 'densenet121',
      inputs: [{ name: 'image', shape: ['N', 3, 64, 64] }],
      outputs: [{ name: 'logits', shape: ['N', 1] }],
    });
  });

  test("holds the state_dict under PyTorch's names and layouts, bit for bit", () => {
    const expected = [...formula].filter(([, { dtype }]) => dtype === 'F32');
    expect([...model.initializers.keys()].sort()).toEqual(expected.map(([key]) => key).sort());
    for (const [key, tensor] of expected) {
      const { shape, values } = model.initializers.get(key) as ReferenceTensor;
      expect([key, shape]).toEqual([key, tensor.shape]);
      expect(Buffer.compare(Buffer.from(Float32Array.from(values).buffer), Buffer.from(toFloat32(tensor).buffer))).toBe(
        0,
      );
    }
  });

  test('has a node for each layer, of unique names', () => {
    const count = (opType: string) => model.nodes.filter((node) => node.opType === opType).length;
    expect(['Conv', 'BatchNormalization', 'Relu', 'Concat', 'AveragePool', 'Gemm'].map(count)).toEqual([
      120, 121, 121, 58, 3, 1,
    ]);
    expect(new Set(model.nodes.map(({ name }) => name)).size).toBe(model.nodes.length);
  });
});

// It runs on no adapter: once is enough.
describeOnFastAdapter("as PyTorch's float64 run", () => {
  // The others take minutes or gigabytes in float64; everyLayer has what they consist of.
  test.each([
    ['densenet121', densenet],
    ['mobilenet_v2', findModel('mobilenet_v2')],
    ['resnext50_32x4d', findModel('resnext50_32x4d')],
  ])('%s', (name, definition) => {
    const { gain, input_shape, eval: part } = readGolden<Fixture>(`networks/${name}.json.gz`);
    const tensors = formulaState({ specs: stateSpecs(definition, 1) }, gain);
    const model = decodeOnnx(exportOnnx(definition, 'formula', tensors, { imageSize: input_shape[2] as number }));
    const values = Float64Array.from(formulaInput(input_shape, part.input_key));
    const result = runOnnx(model, { shape: input_shape, values });
    expect(result.shape).toEqual([input_shape[0], 1]);
    // ONNX stores epsilon as f32; all else is float64 in both.
    for (const [image, logit] of part.logits.entries()) expect(result.values[image]).toBeCloseTo(logit, 7);
  });
});

test.each(models.map((definition) => [definition.name, definition]))('%s: every op is translated', (_, definition) => {
  const graph = new Graph();
  const network = new Network(graph, { training: false });
  // VGG pools adaptively at a size that is no multiple of 224.
  definition.build(network, network.declarePadded(graph.input('image', [1, 320, 320, 4]), 3), 1);
  expect(graph.nodes.length).toBeGreaterThan(10);
  expect(graph.nodes.filter(({ op }) => !operators.has(op)).map(({ op }) => op.name)).toEqual([]);
});

/** One of every layer, with sizes, strides and paddings that differ by direction where they may. */
const everyLayer: ModelDefinition = {
  name: 'every_layer',
  title: 'Every layer',
  head: 'head',
  smallestImage: 18,
  headAveragesMaps: false,
  build(network, image, outputs) {
    let x = network.conv2d('stem', image, { channels: 8, kernel: 3, stride: 2, padding: 1, bias: true });
    x = network.batchNorm('norm', x, { activation: 'relu6', epsilon: 1e-3 });
    const grouped = network.conv2d('grouped', x, { channels: 8, kernel: [1, 5], padding: [0, 2], groups: 2 });
    const depthwise = network.conv2d('depthwise', x, { channels: 8, kernel: [5, 1], padding: [2, 0], groups: 8 });
    const sum = network.activate(network.add(network.batchNorm('plain', grouped), depthwise), 'relu');
    const pooled = network.maxPool2d('max', sum, { kernel: 3, stride: 2, padding: 1 });
    const averaged = network.avgPool2d('average', network.activate(sum, 'relu6'), { kernel: 3, stride: 2, padding: 1 });
    const joined = network.concat([
      pooled,
      averaged,
      network.avgPool2d('', pooled, { kernel: 3, stride: 1, padding: 1 }),
    ]);
    const maps = network.concat([joined, network.conv2d('last', joined, { channels: 4, kernel: 1, bias: true })]);
    const windows = network.adaptiveAvgPool2d('windows', maps, 3);
    const wide = network.activate(network.linear('wide', windows, 12), 'relu');
    const sides = network.concat([wide, network.linear('pooled', network.globalAvgPool2d(maps), 4)]);
    const hidden = network.activate(network.linear('hidden', sides, 12), 'relu');
    return { logits: network.linear('head', network.dropout('drop', hidden, 0.5), outputs), maps };
  },
};

/** As above without a linear layer at its end. */
const convolutional: ModelDefinition = {
  ...everyLayer,
  build(network, image, outputs) {
    const maps = network.conv2d('stem', image, { channels: 8, kernel: 3 });
    return { logits: network.conv2d('head', network.globalAvgPool2d(maps), { channels: outputs, kernel: 1 }), maps };
  },
};

/** A state_dict of random values; variances are positive. */
function drawState(definition: ModelDefinition, outputs: number, random: Random): StateDict {
  return new Map(
    stateKeys(stateSpecs(definition, outputs))
      .filter(({ key }) => !key.endsWith('num_batches_tracked'))
      .map(({ key, shape }) => {
        const low = key.endsWith('running_var') ? 0.5 : -1;
        return [
          key,
          floatTensor(
            shape,
            new Float32Array(elementCount(shape)).map(() => random.uniform(low, 1)),
          ),
        ];
      }),
  );
}

/** The network's logits by the references of the engine's own ops, in float64. */
function interpretNetwork(definition: ModelDefinition, tensors: StateDict, images: Float32Array, shape: Shape) {
  const [count = 0, , size = 0] = shape;
  const graph = new Graph();
  const network = new Network(graph, { training: false });
  const image = network.declarePadded(graph.input('image', [count, size, size, 4]), 3);
  const { logits } = definition.build(network, image, 2);
  const values = new Map<Tensor, ReferenceTensor>([
    [image, { shape: image.shape, dtype: 'f32', values: toDeviceImages(images, shape) }],
  ]);
  for (const { spec, tensor } of network.states) {
    const entries = spec.entries.map(({ key }) => tensors.get(key)?.data as Float32Array);
    values.set(tensor, { shape: tensor.shape, dtype: 'f32', values: toDevice(spec, entries) });
  }
  return interpret(graph, values).get(logits)?.values as Float64Array;
}

describe.each([
  ['every layer', everyLayer],
  ['a network that ends in a convolution', convolutional],
])('%s', (_, definition) => {
  test('computes what the ops of this engine compute', () => {
    const random = new Random(3);
    const tensors = drawState(definition, 2, random);
    const shape = [3, 3, 18, 18];
    const images = new Float32Array(elementCount(shape)).map(() => random.uniform(-2, 2));
    const model = decodeOnnx(exportOnnx(definition, 'drawn', tensors, { imageSize: 18 }));
    const result = runOnnx(model, { shape, values: Float64Array.from(images) });
    expect(result.shape).toEqual([3, 2]);
    const expected = interpretNetwork(definition, tensors, images, shape);
    const scale = Math.max(...expected.map(Math.abs));
    result.values.forEach((value, index) => {
      // Both are float64 but for what ONNX stores as f32: epsilon, and the two matrices of the adaptive pool.
      expect(Math.abs(value - (expected[index] as number))).toBeLessThan(3 * 2 ** -24 * scale);
    });
  });
});

test('weights that see images from -1 to 1 are given them from images normalised for ImageNet', () => {
  const random = new Random(4);
  const tensors = drawState(everyLayer, 2, random);
  const shape = [2, 3, 18, 18];
  const bytes = Array.from({ length: elementCount(shape) }, () => Math.floor(random.uniform(0, 256)));
  const images = (normalisation: 'imagenet' | 'half') => {
    const channel = (index: number) => Math.floor(index / 18 ** 2) % 3;
    return {
      shape,
      values: Float64Array.from(bytes, (byte, index) => normalisedByte(byte, channel(index), normalisation)),
    };
  };
  const options = { imageSize: 18 };
  const plain = decodeOnnx(exportOnnx(everyLayer, 'drawn', tensors, options));
  const model = decodeOnnx(exportOnnx(everyLayer, 'drawn', tensors, { ...options, normalisation: 'half' }));
  const expected = runOnnx(plain, images('half')).values;
  const scale = Math.max(...expected.map(Math.abs));
  runOnnx(model, images('imagenet')).values.forEach((value, index) => {
    // Scale and shift are stored as f32.
    expect(Math.abs(value - (expected[index] as number))).toBeLessThan(2 ** -20 * scale);
  });
  expect(runOnnx(plain, images('imagenet')).values[0]).not.toBeCloseTo(expected[0] as number, 1);
});

describe('what cannot be exported', () => {
  const without = (key: string): StateDict => new Map([...formula].filter(([name]) => name !== key));

  test.each([
    [
      'classifier.weight',
      'w: 1 tensor does not fit the network (is it another --model?): classifier.weight none, expected [1, 1024]',
    ],
    [
      'features.norm0.running_var',
      'w: 1 tensor does not fit the network (is it another --model?): features.norm0.running_var none, expected [64]',
    ],
  ])('weights without %s', (key, message) => {
    expect(() => exportOnnx(densenet, 'w', without(key), { imageSize: 64 })).toThrow(message);
  });

  test('images smaller than the network takes', () => {
    expect(() => exportOnnx(densenet, 'w', formula, { imageSize: 28 })).toThrow(
      'densenet121 cannot take images of 28 pixels: the smallest --image-size is 29',
    );
  });
});

test('the head has as many outputs as the weights', () => {
  const tensors = drawState(densenet, 5, new Random(1));
  const model = decodeOnnx(exportOnnx(densenet, 'w', tensors, { imageSize: 32 }));
  expect(model.outputs).toEqual([{ name: 'logits', shape: ['N', 5] }]);
  expect(model.initializers.get('classifier.weight')?.shape).toEqual([5, 1024]);
});
