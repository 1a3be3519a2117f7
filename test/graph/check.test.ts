import { describe, expect, test } from 'vitest';
import { runGuarded } from '../../src/graph/check/check-case.ts';
import { differences } from '../../src/graph/check/compare.ts';
import { Graph, type Tensor } from '../../src/graph/graph.ts';
import type { Launch, OpDefinition } from '../../src/kernels/definition.ts';
import { filled, given } from '../../src/kernels/draw.ts';
import { copy } from '../../src/kernels/elementwise.ts';
import { exact, Sum, toleranceOf } from '../../src/kernels/reference.ts';
import { useDevice } from '../support/use-device.ts';

const device = useDevice();

/** A copy with a fault: it works on `rows` more or fewer rows than there are. */
const faultyCopy = (rows: number): OpDefinition<Record<never, never>> => ({
  ...copy,
  variants: copy.variants.map((variant) => ({
    ...variant,
    launches: (context) =>
      variant.launches(context).map(
        (launch): Launch => ({
          ...launch,
          uniforms: { ...launch.uniforms, rows: (launch.uniforms.rows as number) + rows },
        }),
      ),
  })),
});

async function run(rows: number): Promise<{ values: Float32Array; overruns: readonly string[] }> {
  const graph = new Graph();
  const x = graph.input('x', [1, 3, 5, 3]);
  const [y] = graph.emit(faultyCopy(rows), [x], {}) as [Tensor];
  const values = new Map([[x, filled(x.shape, 7)]]);
  const { results, overruns } = await runGuarded({ device: device(), graph, values, results: [y] });
  return { values: new Float32Array(results.get(y) as ArrayBuffer), overruns };
}

describe('a guarded run', () => {
  test('is silent about a kernel without fault', async () => {
    const { values, overruns } = await run(0);
    expect([...values]).toEqual(new Array(45).fill(7));
    expect(overruns).toEqual([]);
  });

  test('finds one row written past the end', async () => {
    expect((await run(1)).overruns).toEqual(['3 guard words behind /copy.y were overwritten']);
  });

  test('leaves NaN where nothing was written', async () => {
    const { values } = await run(-1);
    expect([...values.subarray(0, 42)]).toEqual(new Array(42).fill(7));
    expect([...values.subarray(42)]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });
});

describe('differences', () => {
  const wanted = (values: readonly number[], tolerance: number) =>
    values.map((value, index) => ({ index, element: exact(value), tolerance }));

  test('names the element, both values and the tolerance', () => {
    const { buffer } = Float32Array.of(1, 2.5, 3);
    expect(differences('conv2d "a case"', 'f32', buffer, wanted([1, 2, 3], 0.25))).toEqual([
      'conv2d "a case"[1] is 2.5 but expected 2 +- 2.50e-1',
    ]);
    expect(differences('y', 'f32', buffer, wanted([1.25, 2.25, 3.25], 0.25))).toEqual([]);
  });

  test('never takes NaN, and lists ten', () => {
    const lines = differences(
      'y',
      'f32',
      new Float32Array(20).fill(Number.NaN).buffer,
      wanted(new Array(20).fill(0), 1),
    );
    expect(lines).toHaveLength(11);
    expect(lines[10]).toBe('y: 20 of 20 elements differ');
  });

  test('words are equal or not; rounded bytes are off by at most a half', () => {
    expect(differences('y', 'u32', Uint32Array.of(4).buffer, wanted([5], 10))).toHaveLength(1);
    const bytes = { value: 0, scale: 0, terms: 0, bytes: [1.4, 2.6, 0, 255] };
    const element = [{ index: 0, element: bytes, tolerance: 0 }];
    expect(differences('y', 'u32', Uint32Array.of(0xff000301).buffer, element)).toEqual([]);
    expect(differences('y', 'u32', Uint32Array.of(0xff000302).buffer, element)).toHaveLength(1);
  });
});

describe('the tolerance of a sum', () => {
  const sumOf = (terms: readonly number[]) => {
    const sum = new Sum();
    for (const term of terms) sum.add(term);
    return sum.element();
  };

  test('is 4 eps sqrt(K) of the larger of norm and |sum|, and eps of the value', () => {
    const epsilon = 2 ** -23;
    expect(toleranceOf(sumOf([3, -4, 0, 0]))).toBeCloseTo(4 * epsilon * 2 * 5 + epsilon, 15);
    expect(toleranceOf(sumOf([3, 4, 0, 0]))).toBeCloseTo(4 * epsilon * 2 * 7 + 7 * epsilon, 15);
  });

  test('holds float32 sums of random signs and of one sign, and no missing term', () => {
    for (const shift of [0, 1]) {
      const terms = [
        ...given(
          [4096],
          Array.from({ length: 4096 }, (_, i) => shift + Math.sin(i * i)),
        ).values,
      ];
      const element = sumOf(terms);
      const float32 = terms.reduce((sum, term) => Math.fround(sum + term), 0);
      expect(Math.abs(float32 - element.value)).toBeLessThan(toleranceOf(element));
      const missing = element.value - (terms.find((term) => Math.abs(term) > 0.5) as number);
      expect(Math.abs(missing - element.value)).toBeGreaterThan(toleranceOf(element));
    }
  });
});
