import { describe, expect, test } from 'vitest';
import { benchCase, type KernelCase, kernelCases } from '../../src/bench/kernels.ts';
import { conv2d, conv2dDataGradient } from '../../src/kernels/conv2d/index.ts';
import type { ModelDefinition } from '../../src/models/definition.ts';
import { findModel } from '../../src/models/index.ts';
import { useDevice } from '../support/use-device.ts';

const sizes = { imageSize: 32, batchSize: 2 };
const densenet121 = findModel('densenet121');
const renamed: ModelDefinition = { ...densenet121, name: 'another' };

describe('the sizes that are measured', () => {
  test('each once, with the networks that have it', () => {
    const alone = kernelCases([densenet121], sizes);
    const both = kernelCases([densenet121, renamed], sizes);
    expect(both.map(({ id }) => id)).toEqual(alone.map(({ id }) => id));
    expect(new Set(alone.map(({ id }) => id)).size).toBe(alone.length);
    for (const { models } of both) expect(models).toEqual(['densenet121', 'another']);
  });

  test('the convolutions and their gradients, or all ops that launch something', () => {
    const names = (allOps: boolean) => new Set(kernelCases([densenet121], sizes, { allOps }).map(({ op }) => op.name));
    expect([...names(false)].sort()).toEqual([
      'conv2d',
      'conv2d_batch_norm_gradient',
      'conv2d_data_gradient',
      'conv2d_weight_gradient',
    ]);
    expect(names(true)).toContain('batch_norm_moments');
    expect(names(true)).not.toContain('concat');
  });

  test('a filter takes layer names, shapes and attributes', () => {
    const found = (filter: string) => kernelCases([densenet121], sizes, { filter });
    expect(found('features.conv0 ')).toHaveLength(2);
    expect(found('[7,7,4,64]').length).toBeGreaterThan(0);
    expect(found('"padding":[3,3]').length).toBeGreaterThan(0);
    expect(found('no such layer')).toEqual([]);
  });
});

describe('a case', () => {
  const device = useDevice();
  const peaks = { flops: 1e12, halfFlops: null, bandwidth: 1e12 };
  const [one] = kernelCases([densenet121], sizes, { filter: 'conv2d of features.conv0 ' });
  if (!one) throw new Error('the network has no first convolution');

  /** The variants that fit, the one that is used first. */
  const fitting = ({ op, inputs, attributes }: Pick<KernelCase, 'op' | 'inputs' | 'attributes'>): string[] => {
    const signature = { inputs, outputs: op.shape(inputs, attributes), attributes, traits: device().traits };
    return op.variants.filter((variant) => variant.fits(signature)).map(({ name }) => name);
  };

  test('every variant that fits is timed, a variant of the benchmark too', async () => {
    const [direct] = conv2d.variants.slice(-1);
    if (!direct) throw new Error('conv2d has no variant');
    const extra = () => [{ ...direct, name: 'naive' }];
    const results = await benchCase(device(), one, { rounds: 3, peaks, extra });
    expect(results.map(({ variant, used }) => [variant, used])).toEqual([
      ...fitting(one).map((name, index) => [name, index === 0]),
      ['naive', false],
    ]);
    // 2 images of 16 x 16 pixels, 7 x 7 taps, 4 padded channels to 64.
    const flops = 2 * 2 * 256 * 49 * 4 * 64;
    for (const result of results) {
      expect(result).toMatchObject({ case: one.id, op: 'conv2d', models: ['densenet121'], flops });
      expect(result.median_ms).toBeGreaterThan(0);
      expect(result.gflops).toBeCloseTo(flops / result.median_ms / 1e6, 6);
      expect([1, 3]).toContain(result.runs);
      expect(result.lower_ms).toBeLessThanOrEqual(result.median_ms);
      expect(result.upper_ms).toBeGreaterThanOrEqual(result.median_ms);
    }
    expect(Math.max(...results.map(({ runs }) => runs))).toBe(3);
  });

  test('the variant of a plan alone', async () => {
    const results = await benchCase(device(), one, { rounds: 1, peaks, usedOnly: true });
    expect(results.map(({ variant, used }) => [variant, used])).toEqual([[fitting(one)[0], true]]);
  });

  test('an op that adds to an input is timed without the copy of it', async () => {
    const f32 = (...shape: number[]) => ({ shape, dtype: 'f32' as const });
    const attributes = { stride: [1, 1], padding: [0, 0], groups: 1, xShape: [1, 4, 4, 8] };
    const inputs = [f32(1, 4, 4, 4), f32(1, 1, 8, 4), f32(1, 4, 4, 8)];
    const added = { ...one, op: conv2dDataGradient, inputs, attributes, id: 'added' };
    const results = await benchCase(device(), added, { rounds: 2, peaks });
    expect(results.map(({ variant }) => variant)).toEqual(fitting(added));
  });
});
