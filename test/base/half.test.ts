import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bf16Bits,
  bf16FromF32,
  bf16Value,
  f16Bits,
  f16FromF32,
  f16Value,
  f32FromBf16,
  f32FromF16,
} from '../../src/base/half.ts';

/** The definition: of all patterns with the value's sign, the nearest; of two, the even one; past the middle, infinity. */
function nearest(value: number, valueOfPattern: (bits: number) => number, infinity: number): number {
  const sign = Object.is(Math.sign(value), -0) || value < 0 ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  let low = 0;
  let high = infinity;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (valueOfPattern(middle) <= magnitude) low = middle;
    else high = middle;
  }
  const below = valueOfPattern(low);
  const above = high === infinity ? 2 * below - valueOfPattern(low - 1) : valueOfPattern(high);
  const toBelow = magnitude - below;
  const toAbove = above - magnitude;
  return sign | (toBelow < toAbove || (toBelow === toAbove && low % 2 === 0) ? low : high);
}

const everyPattern = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
const formats = [
  { name: 'f16', bitsOf: f16Bits, exact: f16Value, infinity: 0x7c00, encode: f16FromF32, decode: f32FromF16 },
  { name: 'bf16', bitsOf: bf16Bits, exact: bf16Value, infinity: 0x7f80, encode: bf16FromF32, decode: f32FromBf16 },
];

describe.each(formats)('$name', ({ bitsOf, exact, infinity, encode, decode }) => {
  it('gives every pattern back, NaN as NaN', () => {
    const values = decode(everyPattern);
    const patterns = encode(values);
    const wrong = [...everyPattern].filter((bits) =>
      (bits & 0x7fff) > infinity
        ? !Number.isNaN(values[bits]) || !Number.isNaN(exact(patterns[bits] as number))
        : patterns[bits] !== bits || !Object.is(values[bits], exact(bits)),
    );
    expect(wrong).toEqual([]);
  });

  it('rounds the middle between two patterns to the even one, and beside it to the nearer', () => {
    const wrong: number[] = [];
    for (let low = 0; low < infinity - 1; low++) {
      const middle = (exact(low) + exact(low + 1)) / 2;
      if (Math.fround(middle) !== middle) continue;
      const even = low % 2 === 0 ? low : low + 1;
      const [below, tie, above] = [neighbour(middle, -1), middle, neighbour(middle, 1)].map(bitsOf);
      if (below !== low || tie !== even || above !== low + 1 || bitsOf(-middle) !== (even | 0x8000)) wrong.push(low);
    }
    expect(wrong).toEqual([]);
  });

  it('is the nearest pattern for any f32', () => {
    const check = (value: number) => {
      expect(bitsOf(value)).toBe(nearest(value, exact, infinity));
    };
    fc.assert(fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), check), { numRuns: 5000, seed: 1 });
    fc.assert(fc.property(fc.float({ min: -70000, max: 70000, noNaN: true }), check), { numRuns: 5000, seed: 2 });
  });

  it('keeps infinities and overflows into them', () => {
    const big = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3.4028234e38, -3.4028234e38];
    expect(big.map(bitsOf)).toEqual([infinity, infinity | 0x8000, infinity, infinity | 0x8000]);
  });
});

/** The f32 next to `value` away from (1) or towards (-1) zero. */
function neighbour(value: number, step: 1 | -1): number {
  const words = new Uint32Array(Float32Array.of(value).buffer);
  words[0] = (words[0] as number) + step;
  return new Float32Array(words.buffer)[0] as number;
}

describe('known values', () => {
  it('has the patterns of IEEE 754', () => {
    expect([1, -2, 65504, 65519.996, 65520, 2 ** -24, 2 ** -25, 2 ** -14, 1 / 3].map(f16Bits)).toEqual([
      0x3c00, 0xc000, 0x7bff, 0x7bff, 0x7c00, 0x0001, 0x0000, 0x0400, 0x3555,
    ]);
    expect([1, -2, 1 / 3, 3.140625].map(bf16Bits)).toEqual([0x3f80, 0xc000, 0x3eab, 0x4049]);
  });
});
