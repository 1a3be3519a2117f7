import { describe, expect, test } from 'vitest';
import { interleave, single } from '../../src/bench/interleave.ts';
import { interleaveSampled } from '../../src/bench/sampler.ts';

describe.each([
  ['interleave', interleave],
  ['interleaveSampled', interleaveSampled],
] as const)('%s', (_, interleave) => {
  test('runs one of each kind a round, one round more than is counted', async () => {
    const order: string[] = [];
    const kind = (name: string, seconds: number[]) => async () => {
      order.push(name);
      await Promise.resolve();
      return seconds[order.filter((one) => one === name).length - 1] ?? Number.NaN;
    };
    const [a, b] = await interleave([kind('a', [9, 1, 2, 3, 4, 5]), kind('b', [9, 50, 10, 20, 40, 30])], 5);
    expect(order.join('')).toBe('ab'.repeat(6));
    expect(a).toEqual({ median: 3, lower: 2, upper: 4, runs: 5 });
    expect(b).toEqual({ median: 30, lower: 20, upper: 40, runs: 5 });
  });

  test('keeps the order where the kinds differ in how long they wait', async () => {
    const order: number[] = [];
    const kinds = [3, 0, 1].map((wait, index) => async () => {
      order.push(index);
      await new Promise((resolve) => setTimeout(resolve, wait));
      return index + 1;
    });
    const timings = await interleave(kinds, 4);
    expect(order).toEqual(Array.from({ length: 15 }, (_, at) => at % 3));
    expect(timings.map(({ median }) => median)).toEqual([1, 2, 3]);
  });

  test('counts all runs, however many', async () => {
    let at = 0;
    const [timing] = await interleave([async () => at++], 13);
    // Runs 1 to 13 are counted: three are faster than the middle half, and three slower.
    expect(timing).toMatchObject({ median: 7, lower: 4, upper: 10, runs: 13 });
  });

  test('one round, no kinds, and a run that fails', async () => {
    expect(await interleave([async () => 2], 1)).toEqual([single(2)]);
    expect(await interleave([], 3)).toEqual([]);
    const broken = async () => {
      throw new Error('the device was lost');
    };
    await expect(interleave([async () => 1, broken], 3)).rejects.toThrow('the device was lost');
  });
});
