import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../io/temporary.ts';
import { testOnFastAdapter } from '../support/adapter.ts';
import { murad } from './murad.ts';

const folder = temporaryFolder();
const file = (name: string) => join(folder, name);
const SMALL = '--image-size 32 --batch-size 2'.split(' ');

/** The one object of a command's stdout. */
async function json(...words: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await murad(folder, ...words, '--json');
  if (code !== 0) throw new Error(stderr.join('\n'));
  expect(stdout.trimEnd()).not.toContain('\n');
  return JSON.parse(stdout) as Record<string, unknown>;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

const CONDITIONS = {
  date: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
  adapter: expect.stringMatching(/./),
  driver: expect.stringMatching(/./),
  cores: expect.any(Number),
};
const RESULT = { median_ms: expect.any(Number), images_per_s: expect.any(Number), planned_bytes: expect.any(Number) };

interface Row {
  readonly kernel: string;
  readonly phase: string;
  readonly launches: number;
  readonly ms: number;
  readonly share_of_time: number;
}

describe('profile', () => {
  testOnFastAdapter('a training step as JSON, a trace and a page', async () => {
    const words = ['profile', ...SMALL, '--rounds', '2', '--trace', 'trace.json', '--html', 'roofline.html'];
    const found = await json(...words);
    expect(found).toMatchObject({
      conditions: CONDITIONS,
      model: 'densenet121',
      image_size: 32,
      batch_size: 2,
      inference: false,
      clock: expect.stringMatching(/^(timestamp queries|wall clock)$/),
      peaks: { gflops_f32: expect.any(Number), gb_per_s: expect.any(Number) },
      untimed_ms: expect.any(Number),
    });
    const [kernels, layers, launches] = [found.kernels, found.layers, found.launches] as [Row[], Row[], Row[]];
    const total = found.total as Row;
    expect(total.launches).toBe(launches.length);
    for (const rows of [kernels, layers]) {
      expect(sum(rows.map((row) => row.launches))).toBe(launches.length);
      expect(sum(rows.map(({ ms }) => ms))).toBeCloseTo(total.ms, 6);
      expect(sum(rows.map((row) => row.share_of_time))).toBeCloseTo(1, 9);
      expect(rows.map(({ ms }) => ms)).toEqual(rows.map(({ ms }) => ms).sort((a, b) => b - a));
    }
    expect(new Set(launches.map(({ phase }) => phase))).toEqual(new Set(['forward', 'backward', 'optimiser']));
    const { traceEvents } = JSON.parse(readFileSync(file('trace.json'), 'utf8')) as { traceEvents: { ph: string }[] };
    expect(traceEvents.filter(({ ph }) => ph === 'X')).toHaveLength(launches.length);
    const page = readFileSync(file('roofline.html'), 'utf8');
    expect(page).toContain('<h1>DenseNet 121, training step, 32 px, batch 2</h1>');
    expect(page).toContain('var uPlot=');
    expect(page).toContain('arithmetic intensity');
    expect(page).not.toMatch(/<(script|link|img)[^>]*(src|href)="(?!data:)/);
  });

  test('an inference as tables', async () => {
    const { code, stdout } = await murad(folder, 'profile', ...SMALL, '--rounds', '1', '--inference', '--top', '3');
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toBe('DenseNet 121, inference, 32 px, batch 2');
    expect(lines[1]).toMatch(/^measured peaks of this adapter: \d+ GFLOP\/s in f32/);
    expect(lines.find((line) => line.startsWith('all '))).toMatch(/ 100\.0 % /);
    const heading = lines.findIndex((line) => /^the 3 slowest of \d+ ops$/.test(line));
    expect(lines.slice(heading + 2)).toHaveLength(3);
    expect(stdout).not.toContain('gradient');
  });
});

describe('bench', () => {
  test('step, as JSON and as a file', async () => {
    const found = await json('bench', 'step', ...SMALL, '--rounds', '2', '--out', 'results/step.json');
    expect(found).toMatchObject({
      conditions: CONDITIONS,
      model: 'densenet121',
      rounds: 2,
      pipelines: expect.any(Number),
      inference: RESULT,
      training: RESULT,
    });
    expect(JSON.parse(readFileSync(file('results/step.json'), 'utf8'))).toEqual(found);
    const { training } = found as { training: { median_ms: number; ms_per_image: number; images_per_s: number } };
    expect(training.ms_per_image).toBeCloseTo(training.median_ms / 2, 9);
    expect(training.images_per_s).toBeCloseTo(2000 / training.median_ms, 9);
  });

  testOnFastAdapter('kernels, and what changed since', async () => {
    const words = ['bench', 'kernels', ...SMALL, '--filter', 'features.conv0 ', '--rounds', '3'];
    const before = await json(...words, '--out', 'kernels.json');
    expect(JSON.parse(readFileSync(file('kernels.json'), 'utf8'))).toEqual(before);
    const kernels = before.kernels as { op: string; median_ms: number; lower_ms: number; upper_ms: number }[];
    expect(new Set(kernels.map(({ op }) => op))).toEqual(new Set(['conv2d_moments', 'conv2d_weight_gradient']));
    const slow = kernels.map((one) => ({ ...one, median_ms: 1e6, lower_ms: 1e6, upper_ms: 1e6 }));
    writeFileSync(file('slow.json'), JSON.stringify({ ...before, kernels: slow }));
    const { changes } = (await json(...words, '--against', 'slow.json')) as { changes: Record<string, unknown[]> };
    expect(changes).toMatchObject({ slower: [], unchanged: 0, added: [], missing: [] });
    expect(changes.faster).toHaveLength(kernels.length);
    const { stdout } = await murad(folder, ...words, '--against', 'slow.json');
    expect(stdout).toContain(`against slow.json: 0 slower, ${kernels.length} faster, 0 unchanged`);
  });
});

describe('what goes wrong is one line', () => {
  test.each([
    [2, 'profile --image-size 16', 'densenet121 cannot take images of 16 pixels: the smallest --image-size is 29'],
    [2, 'profile --model x', expect.stringMatching(/^unknown model "x": expected one of densenet121\b/)],
    [2, 'profile --rounds 0', '--rounds expects a positive whole number, got "0"'],
    [1, 'profile --html bad.json/a.html', 'cannot write to the folder bad.json: it exists already'],
    [2, 'bench step --image-size 16', 'densenet121 cannot take images of 16 pixels: the smallest --image-size is 29'],
    [1, 'bench step --out bad.json/a.json', 'cannot write to the folder bad.json: it exists already'],
    [2, 'bench kernels --filter qqq', 'no kernel has "qqq" in its name, shapes or attributes'],
    [2, 'bench kernels --models densenet121,y', expect.stringMatching(/^unknown model "y"/)],
    [2, 'bench kernels --image-size 8', 'no network of --models all is trained on images of 8 pixels'],
    [1, 'bench kernels --against none.json', 'cannot read none.json: no such file or folder'],
    [
      1,
      'bench kernels --against bad.json',
      'bad.json is no result of murad bench kernels: give a file that --out wrote',
    ],
  ])('code %d: murad %s', async (expected, words, line) => {
    writeFileSync(file('bad.json'), '{"kernels": 1}');
    const { code, stdout, stderr } = await murad(folder, ...words.split(' '));
    const last = stderr.at(-1)?.replace(/^murad (profile|bench \w+): /, '');
    expect({ code, stdout, last }).toEqual({ code: expected, stdout: '', last: line });
  });
});
