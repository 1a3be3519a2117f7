import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { DecodedImage } from '../../src/data/image.ts';
import { resizePlanes, resizeSquare, triangleWeights } from '../../src/data/resize.ts';

interface Case {
  name: string;
  width: number;
  height: number;
  channels: 1 | 3;
  toWidth: number;
  toHeight: number;
  planes: number[];
}

function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../golden/${name}`, import.meta.url), 'utf8')) as T;
}

/** The samples that make_resize.py makes. */
function hashedImage({ width, height, channels }: Case): DecodedImage {
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) => {
    const h = Math.imul(i, 2654435761);
    return Math.imul(h ^ (h >>> 15), 2246822519) >>> 24;
  });
  return { width, height, channels, data };
}

describe('resize equals Pillow on every pixel', () => {
  const { cases } = golden<{ cases: Case[] }>('resize.json');

  it.each(cases)('$name: $width x $height x $channels to $toWidth x $toHeight', (one) => {
    expect(Array.from(resizePlanes(hashedImage(one), one.toHeight, one.toWidth))).toEqual(one.planes);
  });

  it.each([
    ['pil_resize_8x8', 8, 8],
    ['pil_resize_shorter_8', 8, 10],
    ['pil_resize_h24_w20', 24, 20],
  ] as const)("the oracle's %s", (key, height, width) => {
    const oracle = golden<Record<'image' | typeof key, number[][]>>('resize_oracle.json');
    const image: DecodedImage = { width: 16, height: 12, channels: 1, data: Uint8Array.from(oracle.image.flat()) };
    expect(Array.from(resizePlanes(image, height, width))).toEqual(oracle[key].flat());
  });

  it('a square is both sides alike', () => {
    const image = hashedImage({ width: 30, height: 20, channels: 3 } as Case);
    expect(resizeSquare(image, 7)).toEqual(resizePlanes(image, 7, 7));
  });
});

describe('triangleWeights', () => {
  it.each([
    [512, 320],
    [4096, 1],
    [1, 320],
    [7, 7],
  ])('%i to %i: weights stay within the input, sum to about 1 and cannot overflow', (inputs, outputs) => {
    const { first, count, taps, weights } = triangleWeights(inputs, outputs);
    for (let i = 0; i < outputs; i++) {
      const own = weights.subarray(i * taps, i * taps + (count[i] as number));
      const sum = own.reduce((total, weight) => total + weight, 0);
      expect(count[i]).toBeLessThanOrEqual(taps);
      expect((first[i] as number) + (count[i] as number)).toBeLessThanOrEqual(inputs);
      expect(Math.abs(sum - 2 ** 22)).toBeLessThanOrEqual((count[i] as number) / 2 + 1);
      expect((sum * 255 + 2 ** 21) >> 22).toBe(255);
    }
  });
});
