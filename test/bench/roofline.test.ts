import { expect, test } from 'vitest';
import { figuresOf, rateOf } from '../../src/bench/roofline.ts';

const peaks = { flops: 100e9, halfFlops: null, bandwidth: 10e9 };

test.each([
  // FLOP, bytes, seconds -> GFLOP/s, GB/s, share, limit
  ['compute', 40e9, 1e9, 1, 40, 1, 0.4],
  ['bandwidth', 1e9, 4e9, 2, 0.5, 2, 0.2],
  ['compute', 10e9, 1e9, 0.5, 20, 2, 0.2],
  ['bandwidth', 1e9, 20e9, 1, 1, 20, 2],
] as const)('limited by %s: %d FLOP, %d bytes in %d s', (limit, flops, bytes, seconds, gflops, gb, share) => {
  expect(rateOf({ flops, bytes }, seconds, peaks)).toEqual({
    gflops: expect.closeTo(gflops, 12),
    gb_per_s: expect.closeTo(gb, 12),
    share_of_peak: expect.closeTo(share, 12),
    limit,
  });
});

test('what has no cost or no time has no rate', () => {
  const none = { gflops: null, gb_per_s: null, share_of_peak: null, limit: null };
  expect(rateOf({ flops: 0, bytes: 0 }, 1, peaks)).toEqual(none);
  expect(rateOf({ flops: 1, bytes: 1 }, 0, peaks)).toEqual(none);
  expect(rateOf({ flops: 0, bytes: 5e9 }, 1, peaks)).toEqual({
    gflops: null,
    gb_per_s: 5,
    share_of_peak: 0.5,
    limit: 'bandwidth',
  });
});

test('peaks in the units of a report', () => {
  expect(figuresOf(peaks)).toEqual({ gflops_f32: 100, gflops_f16: null, gb_per_s: 10 });
  expect(figuresOf({ ...peaks, halfFlops: 2e9 }).gflops_f16).toBe(2);
  expect(figuresOf({ ...peaks, matrixFlops: 3e9 }).gflops_matrices).toBe(3);
});
