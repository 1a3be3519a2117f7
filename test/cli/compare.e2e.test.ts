import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { confidentMistakes } from '../../src/cli/mistakes.ts';
import type { Comparison } from '../../src/train/comparison.ts';
import { temporaryFolder } from '../io/temporary.ts';
import { type Fabrication, fabricateRun } from '../train/fabricated-run.ts';
import { murad } from './murad.ts';

const folder = temporaryFolder();

function write(name: string, run: Fabrication): void {
  mkdirSync(join(folder, name));
  for (const [file, text] of Object.entries(fabricateRun(run))) writeFileSync(join(folder, name, file), text);
}

beforeAll(() => {
  write('a', { model: 'densenet121', skill: 1.5, seed: 1 });
  write('b', { model: 'resnet34', skill: 1, seed: 2 });
  write('other', { model: 'resnet34', skill: 1, seed: 2, patients: 20 });
});

test('compare --json is one object', async () => {
  const { code, stdout, stderr } = await murad(folder, 'compare', 'a', 'b', '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: [] });
  const comparison = JSON.parse(stdout) as Comparison;
  expect(comparison.runs.map(({ run, model }) => [run, model])).toEqual([
    ['a', 'densenet121'],
    ['b', 'resnet34'],
  ]);
  expect(comparison.ensembles).toHaveLength(3);
  expect(Object.keys(comparison.runs[0] ?? {})).toEqual(
    expect.arrayContaining(['images', 'studies', 'regions', 'intervals', 'calibration', 'published']),
  );
});

test("compare prints the paper's tables and writes a page", async () => {
  const { code, stdout } = await murad(folder, 'compare', 'a', 'b', '--html', 'new/page.html');
  expect(code).toBe(0);
  const lines = stdout.split('\n');
  expect(lines[0]).toMatch(/^\d+ images, 120 studies of 120 patients, valid split; 95 % intervals by patient;/);
  const columns = (start: string) => lines.find((line) => line.startsWith(start))?.split(/ {2,}/);
  expect(columns('a  studies')).toHaveLength(9);
  expect(columns('a  studies')?.slice(-2)).toEqual(['7.0 M', '2.1 min']);
  expect(lines).toContainEqual(
    expect.stringMatching(/^ +paper +0\.853 +0\.904 +0\.753 +0\.822 +0\.699 +8 M +492 \(no unit\)$/),
  );
  expect(columns('Elbow (60)')).toEqual(['Elbow (60)', 'a', expect.stringMatching(/^0\.\d{3} \(/), '0.735']);
  expect(columns('mean of the runs')?.at(-1)).toMatch(/^-?0\.\d{3} \(-?0\.\d{3}, -?0\.\d{3}\)$/);
  expect(readFileSync(join(folder, 'new/page.html'), 'utf8')).toContain('<title>2 runs beside the paper</title>');
});

test.each([
  ['a nowhere', 'nowhere is no run folder: it has no config.json'],
  ['a other', /^other was measured on other images than a \(/],
])('compare %s fails with one line', async (words, line) => {
  const { code, stdout, stderr } = await murad(folder, 'compare', ...words.split(' '), '--html', 'no.html');
  expect({ code, stdout, lines: stderr.length }).toEqual({ code: 1, stdout: '', lines: 1 });
  expect(stderr[0]?.replace('murad compare: ', '')).toMatch(line);
  expect(existsSync(join(folder, 'no.html'))).toBe(false);
});

test('the most confident mistakes, one a study', () => {
  const of = (study: string, label: 0 | 1, probability: number) => ({
    region: 'A',
    patient: study,
    study,
    label,
    probability,
  });
  const predictions = [
    of('a', 0, 0.9),
    of('a', 0, 0.99),
    of('b', 1, 0.2),
    of('c', 1, 0.8),
    of('d', 0, 0.5),
    of('e', 1, 0.5),
  ];
  expect(confidentMistakes(predictions)).toEqual([1, 2, 5]);
  expect(confidentMistakes(predictions, 1)).toEqual([1]);
});
