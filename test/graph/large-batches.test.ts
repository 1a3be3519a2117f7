import { describe, expect, test } from 'vitest';
import { elementCount, type Shape } from '../../src/base/shape.ts';
import { gradients } from '../../src/graph/autograd.ts';
import type { Graph, Tensor } from '../../src/graph/graph.ts';
import { Program, type ProgramOptions } from '../../src/graph/program.ts';
import { conv2d } from '../../src/kernels/conv2d/index.ts';
import { grid, normal, words } from '../../src/kernels/draw.ts';
import type { CaseInput } from '../../src/kernels/reference.ts';
import { Network } from '../../src/models/network.ts';
import { testOnFastAdapter } from '../support/adapter.ts';
import { useDevice } from '../support/use-device.ts';
import { InputGraph } from './training.ts';

const device = useDevice();

interface Traced {
  readonly graph: Graph;
  readonly values: ReadonlyMap<Tensor, CaseInput>;
  readonly results: readonly Tensor[];
}

/** One run; the bits of every result. */
async function run({ graph, values, results }: Traced, options: Partial<ProgramOptions> = {}) {
  const program = await Program.compile(device(), graph, { results, ...options });
  try {
    for (const [tensor, { values: numbers }] of values) program.write(tensor, numbers);
    program.run();
    return await Promise.all(results.map((result) => program.read(result)));
  } finally {
    program.destroy();
  }
}

/** Every op that works image by image, and the gradient of the images: no result depends on more than one image. */
function traceImageByImage(images: number): Traced {
  const graph = new InputGraph();
  const step = graph.input('step', [1], 'u32');
  const image = graph.input('image', [images, 9, 7, 4]);
  const network = new Network(graph, { training: true, step });
  let x = network.conv2d('conv1', image, { channels: 12, kernel: 3, padding: 1, bias: true });
  x = network.dropout('drop', network.activate(x, 'relu6'), 0.4);
  const pooled = network.maxPool2d('max', x, { kernel: 3, stride: 1, padding: 1 });
  x = network.concat([network.add(x, pooled), network.avgPool2d('average', x, { kernel: 3, stride: 1, padding: 1 })]);
  x = network.conv2d('conv2', x, { channels: 8, kernel: 3, stride: 2, groups: 2 });
  const y = network.globalAvgPool2d(x);
  const seed = graph.input('seed', y.shape);
  const dx = gradients(graph, [image], [], new Map([[y, seed]])).get(image) as Tensor;
  const values = new Map<Tensor, CaseInput>([[step, words([1], [5])]]);
  for (const tensor of [image, seed, ...network.states.map((state) => state.tensor)]) {
    values.set(tensor, normal(tensor.name, tensor.shape));
  }
  return { graph, values, results: [y, dx] };
}

describe('a batch in parts', () => {
  test.each([1.2, 2, 3])('has the bits of the whole batch: bindings of %d of the largest images', async (images) => {
    const variant: ProgramOptions['variant'] = ({ op }) => (op === conv2d ? 'direct' : undefined);
    const whole = await run(traceImageByImage(7), { variant });
    const maxBindingBytes = images * 4 * elementCount([9, 7, 24]);
    const parts = await run(traceImageByImage(7), { variant, guarded: true, maxBindingBytes });
    expect(parts.map((bits) => new Uint32Array(bits))).toEqual(whole.map((bits) => new Uint32Array(bits)));
  });
});

const IMAGES = 9;
const SIZE = 256;
const LARGEST = 2 ** 27;

/**
 * A stack whose first activation takes 16 MiB an image, and the gradients of its parameters. Its numbers are multiples of
 * powers of two, few and small enough that float32 computes every product, mean and sum exactly, in whatever order.
 */
function traceStack(pictures: CaseInput, targets: CaseInput): Traced {
  const graph = new InputGraph();
  const [image, seed] = [graph.input('image', pictures.shape), graph.input('seed', targets.shape)];
  const network = new Network(graph, { training: false });
  let x = network.conv2d('conv1', image, { channels: 64, kernel: 3, padding: 1, bias: true });
  x = network.maxPool2d('pool1', network.activate(x, 'relu'), { kernel: 2 });
  x = network.conv2d('conv2', x, { channels: 8, kernel: 1, bias: true });
  const y = network.globalAvgPool2d(network.maxPool2d('pool2', x, { kernel: 4 }));
  const parameters = network.states.map(({ tensor }) => tensor);
  const found = gradients(graph, parameters, [], new Map([[y, seed]]));
  const values = new Map([
    [image, pictures],
    [seed, targets],
    ...parameters.map((tensor) => [tensor, grid(tensor.name, tensor.shape, { step: 1 / 8, reach: 1 })] as const),
  ]);
  return { graph, values, results: [y, ...parameters.map((tensor) => found.get(tensor) as Tensor)] };
}

/** One image of a batch. */
function imageOf({ shape, values }: CaseInput, image: number): CaseInput {
  const one: Shape = [1, ...shape.slice(1)];
  const size = elementCount(one);
  const numbers = (values as Float32Array<ArrayBuffer>).slice(image * size, (image + 1) * size);
  return { shape: one, dtype: 'f32', values: numbers };
}

const floats = (results: readonly ArrayBuffer[]) => results.map((bits) => new Float32Array(bits));

testOnFastAdapter('activations larger than 128 MiB: as its images one by one', { timeout: 180_000 }, async () => {
  const pictures = grid('pictures', [IMAGES, SIZE, SIZE, 4], { step: 1, reach: 1 });
  const targets = grid('targets', [IMAGES, 1, 1, 8], { step: 1, reach: 2 });
  const stack = traceStack(pictures, targets);
  const outputs = stack.graph.nodes.flatMap((node) => node.outputs);
  expect(Math.max(...outputs.map(({ shape }) => 4 * elementCount(shape)))).toBeGreaterThan(LARGEST);
  const maxBindingBytes = Math.min(LARGEST, device().traits.maxBindingBytes);
  const [logits, ...sums] = floats(await run(stack, { maxBindingBytes }));

  const single: Float32Array[][] = [];
  for (let image = 0; image < IMAGES; image++) {
    single.push(floats(await run(traceStack(imageOf(pictures, image), imageOf(targets, image)))));
  }
  expect(logits).toEqual(Float32Array.from(single.flatMap(([y]) => [...(y as Float32Array)])));
  sums.forEach((sum, index) => {
    const total = sum.map((_, element) =>
      single.reduce((before, results) => before + (results[index + 1]?.[element] as number), 0),
    );
    expect(sum.some((value) => value !== 0)).toBe(true);
    expect(sum).toEqual(total);
  });
});
