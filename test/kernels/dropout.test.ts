import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import { gradients } from '../../src/graph/autograd.ts';
import { runGuarded } from '../../src/graph/check/check-case.ts';
import { Graph, type Tensor } from '../../src/graph/graph.ts';
import { filled, words } from '../../src/kernels/draw.ts';
import { copy, dropout } from '../../src/kernels/elementwise.ts';
import { openTestDevice } from '../support/device.ts';

const SHAPE = [4, 16, 16, 32];
const COUNT = 4 * 16 * 16 * 32;

let device: Device;

beforeAll(async () => {
  device = await openTestDevice();
});

afterAll(() => device.destroy());

/** Which elements of a map of ones dropout keeps, and which gradients of ones it passes. */
async function masks(
  probability: number,
  seed: number,
  step: number,
): Promise<[forward: Float32Array, backward: Float32Array]> {
  const graph = new Graph();
  const [x, number] = [graph.input('x', SHAPE), graph.input('step', [1], 'u32')];
  const [y] = graph.emit(dropout, [x, number], { probability, seed }) as [Tensor];
  const dy = graph.input('dy', SHAPE);
  const [dx] = graph.emit(copy, [gradients(graph, [x], [], new Map([[y, dy]])).get(x)], {}) as [Tensor];
  const values = new Map([x, dy].map((tensor) => [tensor, filled(SHAPE, 1)]));
  values.set(number, words([1], [step]));
  const { results, overruns } = await runGuarded({ device, graph, values, results: [y, dx] });
  expect(overruns).toEqual([]);
  const [forward, backward] = [y, dx].map((tensor) => new Float32Array(results.get(tensor) as ArrayBuffer));
  return [forward as Float32Array, backward as Float32Array];
}

const agreement = (a: Float32Array, b: Float32Array) => a.filter((value, index) => value === b[index]).length;

describe('dropout', () => {
  test.each([0.1, 0.5, 0.8])('drops a share of %f and scales the rest', async (probability) => {
    const [mask] = await masks(probability, 1, 1);
    const kept = mask.filter((value) => value !== 0);
    // Five standard deviations of a binomial count.
    const deviation = Math.sqrt(COUNT * probability * (1 - probability));
    expect(Math.abs(kept.length - COUNT * (1 - probability))).toBeLessThan(5 * deviation);
    for (const value of new Set(kept)) expect(value).toBeCloseTo(1 / (1 - probability), 5);
  });

  test('backward draws the mask of forward', async () => {
    const [forward, backward] = await masks(0.4, 3, 9);
    expect(backward).toEqual(forward);
  });

  test('the mask follows from step and layer, and from nothing else', async () => {
    const [mask] = await masks(0.5, 3, 9);
    expect((await masks(0.5, 3, 9))[0]).toEqual(mask);
    for (const [seed, step] of [
      [3, 10],
      [4, 9],
    ] as const) {
      // Two independent masks of one half agree in half of the elements.
      expect(Math.abs(agreement(mask, (await masks(0.5, seed, step))[0]) - COUNT / 2)).toBeLessThan(
        5 * Math.sqrt(COUNT / 4),
      );
    }
  });

  test('neighbours are independent', async () => {
    const [mask] = await masks(0.5, 3, 9);
    for (const distance of [1, 32, 512]) {
      const shifted = mask.subarray(distance);
      const pairs = COUNT - distance;
      expect(Math.abs(agreement(shifted, mask.subarray(0, pairs)) - pairs / 2)).toBeLessThan(5 * Math.sqrt(pairs / 4));
    }
  });
});
