import { describe, expect, test } from 'vitest';
import { createProgress, formatSeconds } from '../../src/cli/progress.ts';

test.each([
  [0.4, '0 s'],
  [59.4, '59 s'],
  [59.6, '1 min 00 s'],
  [200, '3 min 20 s'],
  [3599.7, '1 h 00 min'],
  [7500, '2 h 05 min'],
])('formatSeconds(%d)', (seconds, text) => expect(formatSeconds(seconds)).toBe(text));

/** Progress of a clock that the test sets, and what it wrote. */
function follow(isTTY: boolean, options: { passing?: boolean } = {}) {
  const clock = { seconds: 0 };
  const written: string[] = [];
  const stream = { isTTY, columns: 80, write: (text: string) => void written.push(text) };
  const progress = createProgress('epoch 1', 'images', stream, () => clock.seconds, options);
  const at = (seconds: number, done: number, total: number, detail?: string) => {
    clock.seconds = seconds;
    progress.update(done, total, detail);
  };
  return { progress, at, written };
}

describe('without a terminal', () => {
  test('a line every ten seconds and one at the end, with rate and time left', () => {
    const { progress, at, written } = follow(false);
    at(1, 10, 300);
    at(9.9, 99, 300);
    at(10, 100, 300);
    at(19, 190, 300);
    at(29, 290, 300);
    at(30, 300, 300);
    progress.end();
    expect(written).toEqual([
      'epoch 1: 100/300 images, 10.0 images/s, 20 s left\n',
      'epoch 1: 290/300 images, 10.0 images/s, 1 s left\n',
      'epoch 1: 300/300 images, 10.0 images/s\n',
    ]);
  });

  test('the rate is that of the last seconds', () => {
    const { at, written } = follow(false);
    for (let second = 1; second <= 20; second++) at(second, second * 5, 1000);
    for (let second = 21; second <= 40; second++) at(second, 100 + (second - 20) * 20, 1000);
    expect(written.at(-1)).toBe('epoch 1: 500/1000 images, 20.0 images/s, 25 s left\n');
  });

  test('at most twenty lines, however long it takes', () => {
    const { at, written } = follow(false);
    for (let second = 1; second <= 10_000; second++) at(second, second, 10_000);
    expect(written).toHaveLength(20);
    expect(written[0]).toBe('epoch 1: 500/10000 images, 1.00 images/s, 2 h 38 min left\n');
  });

  test('a detail stands before the pace, and what is passing has no last line', () => {
    const { progress, at, written } = follow(false, { passing: true });
    at(10, 50, 100, 'loss 0.6931');
    at(20, 100, 100, 'loss 0.5');
    progress.end();
    expect(written).toEqual(['epoch 1: 50/100 images, loss 0.6931, 5.00 images/s, 10 s left\n']);
  });

  test('what was done before the start does not count to the rate', () => {
    const { at, written } = follow(false);
    at(0.01, 400, 1000);
    at(20, 600, 1000);
    expect(written).toEqual(['epoch 1: 600/1000 images, 10.0 images/s, 40 s left\n']);
  });

  test('the end is told once', () => {
    const { at, written } = follow(false);
    at(1, 4, 4);
    at(2, 4, 4);
    expect(written).toEqual(['epoch 1: 4/4 images, 4.00 images/s\n']);
  });
});

test('on a terminal it is a bar, which leaves the signals alone', () => {
  const signals = process.listenerCount('SIGINT');
  const { progress, at, written } = follow(true);
  at(1, 10, 40);
  at(2, 20, 40);
  expect(process.listenerCount('SIGINT')).toBe(signals);
  progress.end();
  expect(written.join('')).toContain('epoch 1 |████████████░░░░░░░░░░░░| 20/40 images  10.0 images/s, 2 s left');
});

test('a passing bar is cleared', () => {
  const { progress, at, written } = follow(true, { passing: true });
  at(1, 10, 40);
  progress.end();
  expect(written.at(-1)).not.toContain('images');
});
