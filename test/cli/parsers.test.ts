import { describe, expect, test } from 'vitest';
import { angle, choice, either, learningRate, positiveWhole, seed, text } from '../../src/cli/parsers.ts';

describe('positiveWhole', () => {
  test.each([
    ['1', 1],
    ['320', 320],
    ['007', 7],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('takes %s', (given, value) => expect(positiveWhole.parse(given)).toBe(value));

  test.each(['', '0', '-1', '1.5', '1e3', 'abc', ' 1', '0x10', '9007199254740992', 'NaN', '١'])(
    'refuses "%s"',
    (given) => expect(positiveWhole.parse(given)).toBeUndefined(),
  );
});

describe('seed', () => {
  test('takes 0 to 2^32 - 1', () => {
    expect(['0', '4294967295'].map(seed.parse)).toEqual([0, 4294967295]);
    expect(seed.parse('4294967296')).toBeUndefined();
  });
});

describe('learningRate', () => {
  test.each([
    ['1e-4', 1e-4],
    ['.5', 0.5],
    ['2.', 2],
    ['+1E-3', 1e-3],
  ])('takes %s', (given, value) => expect(learningRate.parse(given)).toBe(value));

  test.each(['', '0', '-1e-4', '1e999', 'Infinity', '1e', '.', '1,5', '0x1'])('refuses "%s"', (given) =>
    expect(learningRate.parse(given)).toBeUndefined(),
  );
});

test('angle takes 0 to 180 degrees', () => {
  expect(['0', '30', '180'].map(angle.parse)).toEqual([0, 30, 180]);
  expect(['-1', '180.5', 'x'].map(angle.parse)).toEqual([undefined, undefined, undefined]);
});

test('choice takes its words only', () => {
  const best = choice('loss', 'kappa');
  expect(['loss', 'kappa', 'Loss', ''].map(best.parse)).toEqual(['loss', 'kappa', undefined, undefined]);
  expect(best.expects).toBe('loss or kappa');
});

test('either takes what one of the two takes', () => {
  const batchSize = either(positiveWhole, choice('auto'));
  expect(['8', 'auto', '0'].map(batchSize.parse)).toEqual([8, 'auto', undefined]);
  expect(batchSize.expects).toBe('a positive whole number or auto');
});

test('text refuses the empty word', () => {
  expect(text.parse('')).toBeUndefined();
});
