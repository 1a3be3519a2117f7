import { describe, expect, it, test } from 'vitest';
import { bootstrap } from '../../src/train/bootstrap.ts';
import { compareRuns } from '../../src/train/comparison.ts';
import { crossFitted, meanOfReadings } from '../../src/train/ensembles.ts';
import { splitByPatient } from '../../src/train/halves.ts';
import { readMeasuredRuns } from '../../src/train/measured-run.ts';
import { evaluate } from '../../src/train/metrics.ts';
import { formatPredictions, parsePredictions } from '../../src/train/predictions-file.ts';
import { publishedRegions, publishedScores } from '../../src/train/published.ts';
import { memoryFiles } from '../data/memory-files.ts';
import { type Fabrication, fabricateImages, fabricateRun } from './fabricated-run.ts';

const OPTIONS = { seed: 0, resamples: 100 };
const A = { model: 'densenet121', skill: 1.5, seed: 1 };
const B = { model: 'resnet34', skill: 0.5, skills: { XR_WRIST: 4 }, seed: 2 };

const folders = (runs: Record<string, Record<string, string>>) =>
  memoryFiles(
    Object.fromEntries(
      Object.entries(runs).flatMap(([run, files]) =>
        Object.entries(files).map(([name, text]) => [`${run}/${name}`, text]),
      ),
    ),
  );

const read = (runs: Record<string, Fabrication>) =>
  readMeasuredRuns(
    folders(Object.fromEntries(Object.entries(runs).map(([name, run]) => [name, fabricateRun(run)]))),
    Object.keys(runs),
  );

describe('readMeasuredRuns', () => {
  const run = fabricateRun(A);

  it('reads what evaluate wrote, in the order of the first run', async () => {
    const [header = '', ...rows] = (run['predictions.csv'] ?? '').trimEnd().split('\n');
    const reversed = { ...run, 'predictions.csv': [header, ...rows.reverse(), ''].join('\r\n') };
    const [first, second] = await readMeasuredRuns(folders({ a: run, b: reversed }), ['a/', 'b']);
    const { images, predictions } = fabricateImages(A);
    expect(first).toMatchObject({ path: 'a', split: 'valid', images, predictions, config: { model: 'densenet121' } });
    expect(first?.history).toHaveLength(8);
    expect(second).toMatchObject({ path: 'b', images, predictions });
  });

  it.each([
    [
      'is not measured',
      { ...run, 'predictions.csv': undefined },
      'b is not measured yet: run murad evaluate b --data MURA-v1.1 first',
    ],
    [
      'was measured on fewer images',
      fabricateRun({ ...A, patients: 40 }),
      /^b was measured on other images than a \(\d+ of the valid split and \d+ of the valid split, \d+ in common\): measure both with murad evaluate RUN --data DIR, of the same set and --split$/,
    ],
    [
      'was measured on another split',
      { ...run, 'predictions.csv': (run['predictions.csv'] ?? '').replaceAll(',valid\n', ',train\n') },
      /^b was measured on other images than a \(\d+ of the train split and \d+ of the valid split, /,
    ],
    [
      'has another label',
      { ...run, 'predictions.csv': (run['predictions.csv'] ?? '').replace(',1,', ',0,') },
      /^b has another label of valid\/XR_\w+\/patient\d+\/study1_positive\/image\d\.png than a: measure both/,
    ],
    [
      'has a broken line',
      { ...run, 'metrics.jsonl': '{"epoch": 1' },
      'b/metrics.jsonl, line 1: expected a JSON object with "epoch" and "valid_loss"',
    ],
  ])('refuses a run that %s', async (_, files, message) => {
    const kept = Object.fromEntries(Object.entries(files).flatMap(([name, text]) => (text ? [[name, text]] : [])));
    await expect(readMeasuredRuns(folders({ a: run, b: kept }), ['a', 'b'])).rejects.toThrow(message);
  });

  it('refuses a run that is named twice', async () => {
    await expect(readMeasuredRuns(folders({ a: run }), ['a', 'a/'])).rejects.toThrow('a is named twice');
  });
});

describe('predictions.csv', () => {
  const { images, predictions } = fabricateImages({ ...A, patients: 3 });

  test.each([['plain.png'], ['with, comma.png'], ['"quoted".png'], ['a"b,.png']])('keeps an image named %s', (name) => {
    const named = images.map((image) => image.replace(/[^/]+$/, name));
    const text = formatPredictions({ split: 'valid', images: named, predictions });
    expect(parsePredictions('f', text)).toEqual({ split: 'valid', images: named, predictions });
  });

  test.each([
    ['', 'f: expected predictions under the line "image,label,probability,split"'],
    ['image,label,probability,split\n', 'f: expected predictions under'],
    ['image,label,probability,split\na/b/c/d/e.png,2,0.5,valid\n', 'f, line 2: got'],
    ['image,label,probability,split\na/b/c/d/e.png,1,1.5,valid\n', 'f, line 2: got'],
    ['image,label,probability,split\na/b/c/e.png,1,0.5,valid\n', 'f, line 2: got'],
    [
      'image,label,probability,split\na/b/c/d/e.png,1,0.5,valid\na/b/c/d/f.png,1,0.5,train\n',
      'f, line 3: another split',
    ],
  ])('refuses %j', (text, message) => {
    expect(() => parsePredictions('f', text)).toThrow(message);
  });
});

describe('ensembles', () => {
  const readings = [A, B].map((run) => fabricateImages(run).predictions);

  it('takes the mean of the probabilities', () => {
    const mean = meanOfReadings(readings);
    mean.forEach((image, index) => {
      const [one, other] = readings.map((reading) => reading[index]?.probability ?? Number.NaN) as [number, number];
      expect(image).toEqual({ ...readings[0]?.[index], probability: (one + other) / 2 });
    });
  });

  it('chooses for each region on the half that it does not read', () => {
    const { images, chosen } = crossFitted(readings, ({ region }) => region);
    expect(chosen).toEqual({ XR_ELBOW: [0, 0], XR_WRIST: [1, 1] });
    images.forEach((image, index) => {
      expect(image).toEqual(readings[image.region === 'XR_WRIST' ? 1 : 0]?.[index]);
    });
  });

  it('cannot be swayed by the labels of the half that it reads', () => {
    const [first, second] = splitByPatient(readings[0] ?? []).map(
      (half) => new Set(half.map(({ patient }) => patient)),
    );
    // Run 0 is perfect on the first half and always wrong on the second.
    const swayed = (readings[0] ?? []).map((image) => ({
      ...image,
      probability: first?.has(image.patient) ? image.label : 1 - image.label,
    }));
    const { images, chosen } = crossFitted([swayed, readings[1] ?? []], () => 'all');
    expect(chosen).toEqual({ all: [1, 0] });
    const wrong = images
      .filter(({ patient }) => second?.has(patient))
      .every(({ label, probability }) => label !== probability);
    expect(wrong).toBe(true);
  });

  it('reads a region that one half lacks with what is best there overall', () => {
    const lone = readings.map((reading) =>
      reading.map((image) => (image.patient === 'patient00007' ? { ...image, region: 'XR_HAND' } : image)),
    );
    const { chosen } = crossFitted(lone, ({ region }) => region);
    const best = crossFitted(lone, () => 'all').chosen.all;
    const half = splitByPatient(lone[0] ?? [])[0].some(({ region }) => region === 'XR_HAND') ? 0 : 1;
    expect(chosen.XR_HAND?.[half]).toBe(best?.[half]);
  });
});

describe('compareRuns', () => {
  it('is evaluate on each run, beside the paper', async () => {
    const runs = await read({ a: A, b: B });
    const comparison = compareRuns(runs, OPTIONS);
    const [first] = comparison.runs;
    expect(first).toMatchObject({ run: 'a', model: 'densenet121', epochs: 8, train_s: 128, parameters: 6954881 });
    expect(first).toMatchObject(evaluate(runs[0]?.predictions ?? []));
    expect(first?.intervals).toEqual(bootstrap(runs[0]?.predictions ?? [], OPTIONS));
    expect(first?.published).toMatchObject({ kappa: 0.699, time: 492, regions: { XR_WRIST: 0.758 } });
    expect(comparison.runs[1]?.published?.regions).toEqual({});
  });

  it('compares ensembles with the best run, paired', async () => {
    const runs = await read({ a: A, b: B });
    const { ensembles, best, runs: measured } = compareRuns(runs, OPTIONS);
    const kappa = measured.find(({ run }) => run === best)?.studies.kappa ?? Number.NaN;
    expect(kappa).toBe(Math.max(...measured.map(({ studies }) => studies.kappa ?? -1)));
    expect(ensembles.map(({ ensemble }) => ensemble)).toEqual([
      'mean of the runs',
      'best run by region',
      'best run overall',
    ]);
    for (const { studies, kappa_difference: difference } of ensembles) {
      expect(difference.studies.value).toBeCloseTo((studies.kappa ?? 0) - kappa, 12);
      const { low = 1, high = -1 } = difference.studies.interval ?? {};
      expect(low).toBeLessThanOrEqual(high);
    }
    expect(ensembles[1]?.chosen).toEqual({ XR_ELBOW: ['a', 'a'], XR_WRIST: ['b', 'b'] });
  });

  it('makes no ensemble of one run, and does not guess how long a run took', async () => {
    const files = fabricateRun({ ...A, model: 'mobilenet_v2' });
    const old = { ...files, 'metrics.jsonl': (files['metrics.jsonl'] ?? '').replaceAll('"train_images":800,', '') };
    const comparison = compareRuns(await readMeasuredRuns(folders({ a: old }), ['a']), OPTIONS);
    expect(comparison).toMatchObject({ best: 'a', ensembles: [], runs: [{ train_s: null }] });
  });
});

test("the paper's tables are consistent", () => {
  // F1 follows from precision and recall, but for DenseNet 161 (its table's precision repeats its accuracy) and rounding.
  const names = ['densenet121', 'densenet169', 'inception_v3', 'resnet50', 'resnext101_32x8d', 'vgg19_bn'];
  for (const name of names) {
    const { precision = 0, recall = 0, f1 } = publishedScores(name) ?? {};
    expect(Math.abs((2 * precision * recall) / (precision + recall) - (f1 ?? 0)), name).toBeLessThan(0.0015);
  }
  expect(publishedScores('vgg13')).toBeUndefined();
  expect(Object.keys(publishedRegions('vgg19_bn'))).toHaveLength(7);
  expect(publishedRegions('resnet34')).toEqual({});
});
