import { describe, expect, test } from 'vitest';
import { required } from '../../src/base/errors.ts';
import type { AdapterTraits } from '../../src/base/traits.ts';
import type { Device } from '../../src/gpu/device.ts';
import { asReferences, runGuarded } from '../../src/graph/check/check-case.ts';
import { differences } from '../../src/graph/check/compare.ts';
import { expectedOf } from '../../src/graph/check/expected.ts';
import { traceCase } from '../../src/graph/check/trace.ts';
import type { Tensor } from '../../src/graph/graph.ts';
import { casesOf } from '../../src/kernels/cases.ts';
import { matrixGemms } from '../../src/kernels/conv2d/gemm-matrices.ts';
import { registerGemms } from '../../src/kernels/conv2d/gemm-registers.ts';
import { suits, type Tile } from '../../src/kernels/conv2d/gemm-tiles.ts';
import {
  conv2d,
  conv2dBatchNormGradient,
  conv2dDataGradient,
  conv2dMoments,
  conv2dWeightGradient,
} from '../../src/kernels/conv2d/index.ts';
import type { OpDefinition } from '../../src/kernels/definition.ts';
import { affineMap, grid, normal } from '../../src/kernels/draw.ts';
import type { Case, Element } from '../../src/kernels/reference.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { HARDWARE_KERNELS, openTestDevice } from '../support/device.ts';
import { useDevice } from '../support/use-device.ts';

const pixelsOf = [2, 7, 11] as const;
const plain = { stride: [1, 1], padding: [1, 1], groups: 1 } as const;

/** A product of a few rows more than one tile of 128, and of four columns more than the tile has. */
const ragged: readonly { readonly op: OpDefinition; caseOf(tile: Tile): Case<unknown> }[] = [
  {
    op: conv2d,
    caseOf: ({ n }) => ({
      name: '3x3, bias, relu prologue',
      inputs: [
        grid('x', [...pixelsOf, 12]),
        normal('weight', [3, 3, 12, n + 4]),
        normal('bias', [n + 4]),
        affineMap('affine', 12),
      ],
      attributes: { ...plain, prologue: 'relu' },
    }),
  },
  {
    op: conv2dMoments,
    caseOf: ({ n }) => ({
      name: '3x3, bias, relu prologue, moments',
      inputs: [
        grid('x', [...pixelsOf, 12]),
        normal('weight', [3, 3, 12, n + 4]),
        normal('bias', [n + 4], { mean: 10 }),
        affineMap('affine', 12),
      ],
      attributes: { ...plain, prologue: 'relu' },
    }),
  },
  {
    op: conv2dDataGradient,
    caseOf: ({ n }) => ({
      name: '3x3, added to a tensor',
      inputs: [
        normal('dy', [...pixelsOf, 12]),
        normal('weight', [3, 3, n + 4, 12]),
        normal('into', [...pixelsOf, n + 4]),
      ],
      attributes: { ...plain, xShape: [...pixelsOf, n + 4] },
    }),
  },
  {
    op: conv2dBatchNormGradient,
    caseOf: ({ n }) => ({
      name: '3x3, through relu and normalisation, added to a tensor',
      inputs: [
        normal('dy', [...pixelsOf, 12]),
        normal('weight', [3, 3, n + 4, 12]),
        grid('x', [...pixelsOf, n + 4]),
        affineMap('affine', n + 4),
        normal('into', [...pixelsOf, n + 4]),
      ],
      attributes: { ...plain, xShape: [...pixelsOf, n + 4], activation: 'relu', training: true },
    }),
  },
  {
    op: conv2dWeightGradient,
    caseOf: ({ n }) => ({
      name: '3x3, relu prologue, two splits',
      inputs: [grid('x', [2, 15, 18, 16]), normal('dy', [2, 15, 18, n + 4]), affineMap('affine', 16)],
      attributes: { ...plain, weightShape: [3, 3, 16, n + 4], prologue: 'relu' },
    }),
  },
];

/** The op with one variant alone, which is used whatever the sizes. */
function only(op: OpDefinition, name: string): OpDefinition {
  const variants = op.variants.filter((variant) => variant.name === name);
  expect(variants.length).toBe(1);
  return { ...op, variants: variants.map((variant) => ({ ...variant, fits: () => true })) };
}

/**
 * How far an element may be when both factors of each product were rounded to f16: each rounding moves a term by up to
 * 2^-11 of it, both at random by about 2^-11, and K terms by that of their L2 norm, which `scale` is at least. Five
 * deviations are allowed for.
 */
const halfTolerance = ({ scale }: Element): number => 5 * 2 ** -11 * scale;

/**
 * The same for output `output` of an op. The moments of a map: since a weight is rounded alike at every pixel, the mean may
 * be off by as much as the map is, e, and the variance, a mean of (y - mean)^2, by 2 sigma e + e^2.
 */
function halfTolerances(op: OpDefinition, outputs: readonly (readonly Element[])[], output: number): number[] {
  const [map = []] = outputs;
  const elements = outputs[output] ?? [];
  if (op !== conv2dMoments || output === 0) return elements.map(halfTolerance);
  const e = map.reduce((most, one) => Math.max(most, halfTolerance(one)), 0);
  return elements.map(({ value }, place) => (place < elements.length / 2 ? e : 2 * Math.sqrt(value) * e + e * e));
}

interface Comparison {
  readonly device: Device;
  readonly op: OpDefinition;
  readonly variant: string;
  readonly one: Case<unknown>;
  /** Whether operands are rounded to f16. */
  readonly rounds?: boolean;
  /** Whether maps lie in memory as f16. */
  readonly halves?: boolean;
}

/** Compares one variant with the op's reference. */
async function compare({ device, op, variant, one, rounds = false, halves = false }: Comparison): Promise<string[]> {
  const opCases = casesOf(op);
  const wanted = traceCase(opCases, one, undefined, halves);
  const { graph, values, outputs } = traceCase({ ...opCases, op: only(op, variant) }, one, undefined, halves);
  const run = await runGuarded({ device, graph, values, results: outputs });
  const expected = expectedOf(wanted.graph, asReferences(wanted.values), wanted.outputs);
  const all = wanted.outputs.map((tensor) => required(expected.get(tensor), tensor.name));
  const lines = wanted.outputs.flatMap((tensor, index) => {
    const { elements, tolerances } = required(all[index], tensor.name);
    const more = rounds
      ? halfTolerances(
          op,
          all.map((each) => each.elements),
          index,
        )
      : [];
    const list = elements.map((element, place) => ({
      index: place,
      element,
      tolerance: (tolerances[place] as number) + (more[place] ?? 0),
    }));
    const bytes = required(run.results.get(outputs[index] as Tensor), tensor.name);
    return differences(`${op.name} (${variant})`, tensor.dtype, bytes, list);
  });
  return [...lines, ...run.overruns];
}

describeOnFastAdapter('every tile, at more rows and columns than it has', () => {
  const device = useDevice(HARDWARE_KERNELS);

  describe.each(ragged)('$op.name', ({ op, caseOf }) => {
    test.each(registerGemms)('$name', async ({ name, tileOn }) => {
      const tile = required(tileOn(device().traits), name);
      const lines = await compare({ device: device(), op, variant: name, one: caseOf(tile) });
      if (lines.length > 0) expect.fail(lines.join('\n'));
    });
  });
});

describeOnFastAdapter('matrices of f16', () => {
  const device = useDevice({ ...HARDWARE_KERNELS, precision: 'f16' });

  // They take seconds each to compile on a software adapter: every size once, and every direction.
  const names = new Map([
    [conv2d.name, ['matrices 8x8', 'matrices 4x4']],
    [conv2dMoments.name, ['matrices 2x2']],
    [conv2dDataGradient.name, ['matrices 2x2']],
    [conv2dBatchNormGradient.name, ['matrices 8x8']],
    [conv2dWeightGradient.name, ['matrices 8x2']],
  ]);
  const sizes = ragged.flatMap(({ op, caseOf }) =>
    (names.get(op.name) ?? []).map((name) => ({ title: `${op.name}, ${name}`, name, op, caseOf })),
  );

  test.each(sizes)('$title', async ({ name, op, caseOf }) => {
    const gemm = required(
      matrixGemms.find((one) => one.name === name),
      name,
    );
    const tile = gemm.tileOn(device().traits);
    // An adapter without matrix units has no such variant.
    if (!tile) return expect(device().traits.matrices).toBeUndefined();
    // Maps in f32 are the exception: sums of gradients.
    const halves = name !== 'matrices 8x8';
    const lines = await compare({
      device: device(),
      op,
      variant: name,
      one: caseOf(tile),
      rounds: true,
      halves,
    });
    if (lines.length > 0) expect.fail(lines.join('\n'));
  });

  test('are not used unless the device was opened for f16', async () => {
    const plainDevice = await openTestDevice(HARDWARE_KERNELS);
    expect(plainDevice.traits.matrices).toBeUndefined();
    expect(matrixGemms.filter((gemm) => gemm.tileOn(plainDevice.traits))).toEqual([]);
    plainDevice.destroy();
  });
});

describe('the tile that is taken first', () => {
  const gpu: AdapterTraits = {
    kind: 'hardware',
    maxBindingBytes: 2 ** 31,
    maxBufferBytes: 2 ** 31,
    workgroupBytes: 32768,
    workgroupThreads: 256,
    expectedFlops: 1e12,
  };
  const first = (rows: number, columns: number, traits = gpu, k = 0) => {
    const suited = registerGemms.find((gemm) => {
      const tile = gemm.tileOn(traits);
      return tile && suits(tile, rows, columns, k);
    });
    return suited?.name;
  };

  test.each([
    { product: 'many pixels, 128 channels', rows: 102400, columns: 128, tile: 'tiled 128x128' },
    { product: 'many pixels, 64 channels', rows: 102400, columns: 64, tile: 'tiled 128x64' },
    { product: 'many pixels, 96 channels', rows: 102400, columns: 96, tile: 'tiled 128x32' },
    { product: 'many pixels, 160 channels', rows: 102400, columns: 160, tile: 'tiled 128x64' },
    { product: 'many pixels, 4 channels', rows: 102400, columns: 4, tile: 'tiled 128x32' },
    { product: '6400 pixels, 128 channels', rows: 6400, columns: 128, tile: 'tiled 64x64' },
    { product: '1600 pixels, 32 channels', rows: 1600, columns: 32, tile: 'tiled 32x32' },
    { product: 'one pixel, one thousand channels', rows: 1, columns: 1000, tile: 'tiled 32x32' },
  ])('$product: $tile', ({ rows, columns, tile }) => {
    expect(first(rows, columns)).toBe(tile);
  });

  test('splits of the reduction count as workgroups', () => {
    expect(first(256, 128, gpu, 255)).toBe('tiled 32x32');
    expect(first(1024, 128, gpu, 8192)).toBe('tiled 128x128');
  });

  test('an adapter of 16 KiB of workgroup memory or 128 threads a workgroup has smaller ones', () => {
    expect(first(102400, 128, { ...gpu, workgroupBytes: 16384 })).toBe('tiled 128x64');
    expect(first(102400, 128, { ...gpu, workgroupThreads: 128 })).toBe('tiled 128x64');
  });

  test('a software adapter has none', () => {
    expect(first(102400, 128, { ...gpu, kind: 'software' })).toBeUndefined();
  });
});
