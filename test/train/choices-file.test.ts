import { expect, test } from 'vitest';
import { type ChoicesFile, formatChoices, isOfAdapter, parseChoices } from '../../src/train/choices-file.ts';
import { RunFolder } from '../../src/train/run-folder.ts';
import { memoryFiles } from '../data/memory-files.ts';

const choices: ChoicesFile = {
  adapter: 'llvmpipe',
  driver: 'Mesa 26.2.6',
  version: '0.1.0',
  choices: { 'conv2d [1,8,8,4] [3,3,4,8] - {}': 'pixels' },
  wrong: [{ op: 'conv2d', variant: 'direct', size: 'conv2d [1]', fault: 'y[0] is 1 but expected 2' }],
};

test('a file holds what was written to it', () => {
  expect(parseChoices('choices.json', formatChoices(choices))).toEqual(choices);
  expect(parseChoices('choices.json', JSON.stringify({ ...choices, more: 1 }))).toEqual(choices);
});

test.each([
  ['nothing', ''],
  ['a list', '[]'],
  ['half of it', formatChoices(choices).slice(0, 100)],
  ['no driver', JSON.stringify({ ...choices, driver: undefined })],
  ['numbers as choices', JSON.stringify({ ...choices, choices: { key: 1 } })],
  ['choices in a list', JSON.stringify({ ...choices, choices: ['pixels'] })],
  ['no wrong ones', JSON.stringify({ ...choices, wrong: undefined })],
  ['a wrong one without a variant', JSON.stringify({ ...choices, wrong: [{ op: 'conv2d', size: '', fault: '' }] })],
])('%s is refused', (_, text) => {
  expect(() => parseChoices('runs/a/choices.json', text)).toThrow(
    'runs/a/choices.json holds no choices of kernels: expected a JSON object with "adapter", "driver", "version", "choices" and "wrong"',
  );
});

test('they are of one adapter with one driver', () => {
  expect(isOfAdapter(choices, { adapter: 'llvmpipe', driver: 'Mesa 26.2.6' })).toBe(true);
  expect(isOfAdapter(choices, { adapter: 'llvmpipe', driver: 'Mesa 26.2.7' })).toBe(false);
  expect(isOfAdapter(choices, { adapter: 'h100', driver: 'Mesa 26.2.6' })).toBe(false);
});

test('a run folder holds them, or none where it is older than they are', async () => {
  const files = memoryFiles({ 'runs/new/choices.json': formatChoices(choices), 'runs/old/config.json': '{}' });
  expect(await new RunFolder(files, 'runs/new').readChoices()).toEqual(choices);
  expect(await new RunFolder(files, 'runs/old').readChoices()).toBeUndefined();
});
