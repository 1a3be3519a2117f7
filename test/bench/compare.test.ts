import { expect, test } from 'vitest';
import { compareKernels } from '../../src/bench/compare.ts';

const timed = (name: string, lower: number, median: number, upper: number, runs = 9) => ({
  case: `case ${name}`,
  name,
  variant: 'pixels',
  median_ms: median,
  lower_ms: lower,
  upper_ms: upper,
  runs,
});

test('tells what is slower and faster by more than noise, the most changed first', () => {
  const before = [
    timed('steady', 0.9, 1, 1.1),
    timed('overlaps', 0.9, 1, 1.3),
    timed('small', 1, 1, 1),
    timed('slower', 0.9, 1, 1.1),
    timed('much slower', 0.9, 1, 1.1),
    timed('faster', 0.9, 1, 1.1),
    timed('gone', 1, 1, 1),
    timed('once', 1, 1, 1, 1),
    timed('once slower', 1, 1, 1, 1),
  ];
  const after = [
    timed('steady', 0.9, 1, 1.1),
    timed('overlaps', 1.2, 1.4, 1.5),
    timed('small', 1.04, 1.04, 1.04),
    timed('slower', 1.15, 1.2, 1.25),
    timed('much slower', 2, 3, 4),
    timed('faster', 0.4, 0.5, 0.6),
    timed('new', 1, 1, 1),
    timed('once', 1.4, 1.4, 1.4, 1),
    timed('once slower', 1.6, 1.6, 1.6, 1),
  ];
  const { slower, faster, unchanged, added, missing } = compareKernels(before, after);
  expect(slower.map(({ name, ratio }) => [name, ratio])).toEqual([
    ['much slower', 3],
    ['once slower', 1.6],
    ['slower', 1.2],
  ]);
  expect(faster).toEqual([
    { case: 'case faster', name: 'faster', variant: 'pixels', before_ms: 1, after_ms: 0.5, ratio: 0.5 },
  ]);
  expect({ unchanged, added, missing }).toEqual({
    unchanged: 4,
    added: ['case new (pixels)'],
    missing: ['case gone (pixels)'],
  });
});

test('variants of one case are different kernels', () => {
  const one = timed('a', 1, 1, 1);
  const other = { ...one, variant: 'direct', median_ms: 9, lower_ms: 9, upper_ms: 9 };
  expect(compareKernels([one], [other])).toMatchObject({
    slower: [],
    added: ['case a (direct)'],
    missing: ['case a (pixels)'],
  });
});
