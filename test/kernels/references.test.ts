import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { rowsOf } from '../../src/base/shape.ts';
import { gradients } from '../../src/graph/autograd.ts';
import { asReferences } from '../../src/graph/check/check-case.ts';
import { interpret } from '../../src/graph/check/interpret.ts';
import { Graph, type Tensor } from '../../src/graph/graph.ts';
import type { Activation } from '../../src/kernels/activation.ts';
import { adamStep } from '../../src/kernels/adam.cases.ts';
import { adam } from '../../src/kernels/adam.ts';
import { mirrored, normalisedByte, type Plane, turned } from '../../src/kernels/augment.reference.ts';
import { batchNormApply, batchNormFold, batchNormMoments } from '../../src/kernels/batch-norm/index.ts';
import { bceWithLogits } from '../../src/kernels/bce-with-logits.ts';
import { classActivationMap } from '../../src/kernels/class-activation-map.ts';
import { concat } from '../../src/kernels/concat.ts';
import { conv2d } from '../../src/kernels/conv2d/index.ts';
import { given, words } from '../../src/kernels/draw.ts';
import { activate } from '../../src/kernels/elementwise.ts';
import { avgPool2d, globalAvgPool2d, maxPool2d } from '../../src/kernels/pool2d/index.ts';
import type { CaseInput } from '../../src/kernels/reference.ts';
import { readSafetensors } from '../../src/weights/safetensors.ts';
import { readGolden } from '../support/golden.ts';

const bytesOf = (name: string) => new Uint8Array(readFileSync(new URL(`../golden/${name}`, import.meta.url)));

type Values = { readonly shape: readonly number[]; readonly data: Float32Array };
const golden = readSafetensors('ops.safetensors', bytesOf('ops.safetensors')).tensors as unknown as Map<string, Values>;
const index = readGolden<Record<string, Record<string, unknown>>>('ops.json');

function torch(name: string): Values {
  const found = golden.get(name);
  if (!found) throw new Error(`ops.safetensors has no ${name}`);
  return found;
}

/** The values in another order of the axes: `axes[i]` is the old axis that becomes axis i. */
function permuted({ shape, data }: Values, axes: readonly number[]): CaseInput {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const sizes = axes.map((axis) => shape[axis] as number);
  const values = Array.from(data, (_, position) => {
    let rest = position;
    let from = 0;
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      from += (rest % (sizes[axis] as number)) * (strides[axes[axis] as number] as number);
      rest = Math.floor(rest / (sizes[axis] as number));
    }
    return data[from] as number;
  });
  return given(sizes, values);
}

const nhwc = (name: string): CaseInput => permuted(torch(name), [0, 2, 3, 1]);
const kernel = (name: string): CaseInput => permuted(torch(name), [2, 3, 1, 0]);
const vector = (name: string): CaseInput => given([torch(name).data.length], [...torch(name).data]);
const pair = (value: unknown) => (typeof value === 'number' ? ([value, value] as const) : (value as [number, number]));

/** The largest difference, in units of a float32 rounding of the golden number, which is how they are stored. */
function expectNear(found: ArrayLike<number> | undefined, wanted: CaseInput): void {
  expect(found?.length).toBe(wanted.values.length);
  const errors = Array.from(wanted.values, (value, position) => {
    const difference = Math.abs((found?.[position] ?? Number.NaN) - value);
    return difference / (Math.abs(value) * 2 ** -24 + 1e-14);
  });
  expect(Math.max(...errors)).toBeLessThanOrEqual(1.0001);
}

class Run {
  readonly graph = new Graph();
  readonly #values = new Map<Tensor, CaseInput>();

  input(values: CaseInput): Tensor {
    const tensor = this.graph.input('input', values.shape, values.dtype);
    this.#values.set(tensor, values);
    return tensor;
  }

  of(...tensors: (Tensor | undefined)[]): (ArrayLike<number> | undefined)[] {
    const found = interpret(this.graph, asReferences(this.#values));
    return tensors.map((tensor) => tensor && found.get(tensor)?.values);
  }

  /** The gradients of the targets where `seed` is that of the result. */
  gradients(result: Tensor, seed: CaseInput, targets: readonly Tensor[]): (Tensor | undefined)[] {
    const found = gradients(this.graph, targets, [], new Map([[result, this.input(seed)]]));
    return targets.map((target) => found.get(target));
  }
}

const namesOf = (op: string) => Object.keys(index).filter((name) => index[name]?.op === op);

describe('the float64 references agree with PyTorch', () => {
  test.each(namesOf('conv2d'))('conv2d: %s', (name) => {
    const { stride, padding, groups, inputs } = index[name] as Record<string, unknown>;
    const run = new Run();
    const [x, w] = [run.input(nhwc(`${name}.x`)), run.input(kernel(`${name}.w`))];
    const b = 'b' in (inputs as object) ? run.input(vector(`${name}.b`)) : undefined;
    const attributes = { stride: pair(stride), padding: pair(padding), groups: groups as number };
    const [y] = run.graph.emit(conv2d, [x, w, b, undefined], attributes) as [Tensor];
    const found = run.gradients(y, nhwc(`${name}.g`), [x, w, ...(b ? [b] : [])]);
    const [value, dx, dw, db] = run.of(y, ...found);
    expectNear(value, nhwc(`${name}.y`));
    expectNear(dx, nhwc(`${name}.dx`));
    expectNear(dw, kernel(`${name}.dw`));
    if (b) expectNear(db, vector(`${name}.db`));
  });

  test('linear, as a convolution of one pixel', () => {
    const run = new Run();
    const map = (name: string) => permuted({ ...torch(name), shape: [...torch(name).shape, 1, 1] }, [0, 2, 3, 1]);
    const weight = (name: string) => permuted({ ...torch(name), shape: [...torch(name).shape, 1, 1] }, [2, 3, 1, 0]);
    const [x, w] = [run.input(map('linear.x')), run.input(weight('linear.w'))];
    const b = run.input(vector('linear.b'));
    const [y] = run.graph.emit(conv2d, [x, w, b, undefined], { stride: [1, 1], padding: [0, 0], groups: 1 }) as [
      Tensor,
    ];
    const [value, dx, dw, db] = run.of(y, ...run.gradients(y, map('linear.g'), [x, w, b]));
    expectNear(value, map('linear.y'));
    expectNear(dx, map('linear.dx'));
    expectNear(dw, weight('linear.dw'));
    expectNear(db, vector('linear.db'));
  });

  test.each(namesOf('batch_norm'))('batch_norm: %s', (name) => {
    const { training, eps, momentum } = index[name] as { training: boolean; eps: number; momentum: number };
    const rows = (...keys: string[]) => {
      const values = keys.map((key) => [...torch(`${name}.${key}`).data]);
      return given([keys.length, values[0]?.length ?? 0], values.flat());
    };
    const run = new Run();
    const x = run.input(nhwc(`${name}.x`));
    const [weight, running] = [run.input(rows('w', 'b')), run.input(rows('running_mean', 'running_var'))];
    const moments = training ? run.graph.emit(batchNormMoments, [x], {})[0] : undefined;
    const fold = { epsilon: eps, momentum, count: rowsOf(x.shape) };
    const [affine] = run.graph.emit(batchNormFold, [weight, running, moments], fold);
    const [y] = run.graph.emit(batchNormApply, [x, weight, affine], { training, activation: 'none' }) as [Tensor];
    const found = run.gradients(y, nhwc(`${name}.g`), [x, weight]);
    const [value, after, dx, dweight] = run.of(y, running, ...found);
    expectNear(value, nhwc(`${name}.y`));
    expectNear(dx, nhwc(`${name}.dx`));
    expectNear(dweight, rows('dw', 'db'));
    const suffix = training ? '_after' : '';
    expectNear(after, rows(`running_mean${suffix}`, `running_var${suffix}`));
  });

  const pools = [...namesOf('max_pool2d'), ...namesOf('relu then max_pool2d'), ...namesOf('avg_pool2d')];
  test.each(pools)('pool: %s', (name) => {
    const { op, stride, padding, kernel: size } = index[name] as Record<string, unknown>;
    const attributes = { kernel: pair(size), stride: pair(stride), padding: pair(padding) };
    const run = new Run();
    const x = run.input(nhwc(`${name}.x`));
    const relu = op === 'relu then max_pool2d' ? run.graph.emit(activate, [x], { activation: 'relu' })[0] : x;
    const [y] = (
      op === 'avg_pool2d'
        ? run.graph.emit(avgPool2d, [relu], { ...attributes, countPadding: true })
        : run.graph.emit(maxPool2d, [relu], attributes)
    ) as [Tensor];
    const [value, dx] = run.of(y, ...run.gradients(y, nhwc(`${name}.g`), [x]));
    expectNear(value, nhwc(`${name}.y`));
    expectNear(dx, nhwc(`${name}.dx`));
  });

  test('global average pool: adaptive_avg_pool2d to 1', () => {
    const run = new Run();
    const x = run.input(nhwc('adaptive1.x'));
    const [y] = run.graph.emit(globalAvgPool2d, [x], {}) as [Tensor];
    const [value, dx] = run.of(y, ...run.gradients(y, nhwc('adaptive1.g'), [x]));
    expectNear(value, nhwc('adaptive1.y'));
    expectNear(dx, nhwc('adaptive1.dx'));
  });

  test.each(['relu', 'relu6'])('%s, also at its kinks', (name) => {
    const run = new Run();
    const x = run.input(nhwc(`${name}.x`));
    const [y] = run.graph.emit(activate, [x], { activation: name as Activation }) as [Tensor];
    const [value, dx] = run.of(y, ...run.gradients(y, nhwc(`${name}.g`), [x]));
    expectNear(value, nhwc(`${name}.y`));
    expectNear(dx, nhwc(`${name}.dx`));
  });

  test('concat', () => {
    const run = new Run();
    const parts = ['a', 'b', 'c'].map((name) => run.input(nhwc(`concat.${name}`)));
    const [y] = run.graph.emit(concat, parts, {}) as [Tensor];
    const [value, ...found] = run.of(y, ...run.gradients(y, nhwc('concat.g'), parts));
    expectNear(value, nhwc('concat.y'));
    ['a', 'b', 'c'].forEach((name, part) => {
      expectNear(found[part], nhwc(`concat.d${name}`));
    });
  });

  test.each([
    ['bce', 1],
    ['bce_pos_weight', 1.5],
    ['bce_extreme', 1],
  ])('%s', (name, positiveWeight) => {
    const run = new Run();
    const [x, targets] = [run.input(vector(`${name}.x`)), run.input(vector(`${name}.target`))];
    const [loss] = run.graph.emit(bceWithLogits, [x, targets], { positiveWeight }) as [Tensor];
    const [value, dx] = run.of(loss, gradients(run.graph, [x], [loss]).get(x));
    // PyTorch computed the extreme logits in float32.
    if (name !== 'bce_extreme') expectNear(value, vector(`${name}.y`));
    else expect(value?.[0]).toBeCloseTo(torch(`${name}.y`).data[0] as number, 5);
    expectNear(dx, vector(`${name}.dx`));
  });

  test('Adam: five steps', () => {
    const run = new Run();
    const zeros = new Array<number>(6).fill(0);
    const [p, m, v] = [run.input(vector('adam.p')), run.input(given([6], zeros)), run.input(given([6], zeros))];
    for (let t = 0; t < 5; t++) {
      const [g, step] = [run.input(vector(`adam.g${t}`)), run.input(adamStep(t + 1, 1e-4))];
      run.graph.emit(adam, [p, g, m, v, step], {});
      const [after] = run.of(p);
      const before = torch('adam.p').data;
      torch(`adam.delta${t}`).data.forEach((delta, position) => {
        // The step's scalars are float32, each off by up to 6e-8 of itself.
        const found = (after?.[position] ?? Number.NaN) - (before[position] as number);
        expect(Math.abs(found - delta)).toBeLessThan(1e-6 * Math.abs(delta) + 1e-12);
      });
    }
  });

  test('the heat of a class activation map: bilinear interpolation', () => {
    const run = new Run();
    const maps = run.input(nhwc('upsample_bilinear.x'));
    const wanted = nhwc('upsample_bilinear.y').values;
    const bytes = run.input(words([52], new Array<number>(52).fill(0)));
    for (const channel of [0, 1]) {
      const weight = run.input(given([1, 1, 2, 1], channel === 0 ? [1, 0] : [0, 1]));
      const attributes = { image: 0, height: 13, width: 16, planes: 1, opacity: 1 } as const;
      const [, heat] = run.graph.emit(classActivationMap, [maps, weight, bytes], attributes);
      const plane = [...wanted].filter((_, position) => position % 2 === channel);
      expectNear(run.of(heat)[0], given([13, 16], plane));
    }
  });
});

interface TransformsFile {
  readonly width: number;
  readonly height: number;
  readonly image: number[][];
  readonly to_tensor: number[][];
  readonly pil_hflip: number[][];
  readonly tensor_rotate_17_bilinear: number[][];
  readonly normalize: number[][][];
}

describe('the reference of augment agrees with torchvision', () => {
  const { width, height, image, to_tensor, ...results } = readGolden<TransformsFile>('transforms.json');
  const planeOf = (rows: number[][]): Plane => ({ width, height, value: (y, x) => rows[y]?.[x] as number });
  const grid = (value: (y: number, x: number) => number) =>
    Array.from({ length: height }, (_, y) => Array.from({ length: width }, (__, x) => value(y, x)));

  test('flip', () => {
    expect(grid(mirrored(planeOf(image)).value)).toEqual(results.pil_hflip);
  });

  test('rotation: counter-clockwise, bilinear, black outside', () => {
    const angle = (17 * Math.PI) / 180;
    const found = grid((y, x) => turned(planeOf(to_tensor), Math.cos(angle), Math.sin(angle), y, x)).flat();
    // torchvision's grid is float32: a place is off by up to about 16 pixels * eps, times a slope of up to 1.
    results.tensor_rotate_17_bilinear.flat().forEach((wanted: number, position: number) => {
      expect(Math.abs((found[position] as number) - wanted)).toBeLessThan(5e-6);
    });
  });

  test('normalisation', () => {
    results.normalize.forEach((rows: number[][], channel: number) => {
      grid((y, x) => normalisedByte(image[y]?.[x] as number, channel))
        .flat()
        .forEach((found, position) => {
          expect(Math.abs(found - (rows.flat()[position] as number))).toBeLessThan(1e-6);
        });
    });
  });
});
