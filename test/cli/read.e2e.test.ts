import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encode } from 'jpeg-js';
import { parseHTML } from 'linkedom';
import { PNG } from 'pngjs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Calibration } from '../../src/train/calibration.ts';
import { readSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts';
import { floatTensor, toFloat32 } from '../../src/weights/tensor-data.ts';
import { temporaryFolder } from '../io/temporary.ts';
import { decodeOnnx } from '../models/onnx-file.ts';
import { makeSet, murad, SMALL, start, withoutAdapter } from './murad.ts';

const folder = temporaryFolder();
const file = (...path: string[]) => join(folder, ...path);
const json = (stdout: string) => {
  expect(stdout.trimEnd()).not.toContain('\n');
  return JSON.parse(stdout) as Record<string, unknown>;
};

interface Found {
  readonly image: string;
  readonly probability: number;
  readonly abnormal: boolean;
  readonly cam: string | null;
}

const predictionsOf = (stdout: string) => json(stdout).predictions as Found[];
const lines = (path: string) => readFileSync(file(path), 'utf8').trimEnd().split('\n');
const valid = () => lines('set/valid_image_paths.csv');

/** Moves the bias of the run's last layer so that it calls about half of the validation images abnormal. */
async function balance(): Promise<void> {
  const found = predictionsOf((await murad(folder, 'predict', 'run', 'set/valid', '--json')).stdout);
  const logits = found.map(({ probability }) => Math.log(probability / (1 - probability))).sort((x, y) => x - y);
  const middle = logits.length >> 1;
  const path = file('run/best.safetensors');
  const { tensors, metadata } = readSafetensors(path, readFileSync(path));
  const bias = toFloat32(tensors.get('classifier.bias') ?? floatTensor([1], Float32Array.of(Number.NaN)));
  bias[0] = (bias[0] ?? 0) - ((logits[middle - 1] ?? 0) + (logits[middle] ?? 0)) / 2;
  tensors.set('classifier.bias', floatTensor([1], Float32Array.from(bias)));
  writeFileSync(path, writeSafetensors(tensors, metadata));
}

beforeAll(async () => {
  await makeSet(folder);
  const words = [...SMALL, '--limit', '8', '--epochs', '1', '--out', 'run'];
  const { code, stderr } = await murad(folder, 'train', ...words);
  if (code !== 0) throw new Error(stderr.join('\n'));
  await balance();
  // Two images of one name, one of them broken, and what is none.
  for (const name of ['a', 'b', 'c']) mkdirSync(file('mixed', name), { recursive: true });
  const [first = '', second = ''] = valid();
  copyFileSync(file(first), file('mixed/a/image.png'));
  copyFileSync(file(second), file('mixed/b/image.png'));
  copyFileSync(file(first), file('mixed/c/broken.png'));
  truncateSync(file('mixed/c/broken.png'), 300);
  writeFileSync(file('mixed/c/._image.png'), 'no image');
  writeFileSync(file('mixed/c/notes.txt'), 'no image');
});

describe('evaluate', () => {
  const SCORES = ['count', 'accuracy', 'precision', 'recall', 'f1', 'kappa', 'auc'];

  test('one JSON object, and predictions.csv', async () => {
    const { code, stdout, stderr } = await murad(folder, 'evaluate', 'run', '--data', 'set', '--json');
    expect(code).toBe(0);
    expect(stderr[0]).toMatch(/^adapter: /);
    const { images, studies, regions, calibration } = json(stdout) as Record<string, Record<string, unknown>>;
    expect([images, studies].map((scores) => Object.keys(scores ?? {}))).toEqual([SCORES, SCORES]);
    expect(images?.count).toBe(valid().length);
    expect(studies?.count).toBe(lines('set/valid_labeled_studies.csv').length);
    expect(Object.keys(regions ?? {})).toEqual([...new Set(valid().map((path) => path.split('/')[2]))].sort());
    for (const region of Object.values(regions ?? {})) {
      const levels = region as Record<string, object>;
      expect(Object.entries(levels).map(([level, scores]) => [level, Object.keys(scores)])).toEqual([
        ['images', SCORES],
        ['studies', SCORES],
      ]);
    }
    const [header, ...rows] = lines('run/predictions.csv');
    expect(header).toBe('image,label,probability,split');
    expect(rows.map((row) => row.split(',')[0])).toEqual(valid().map((path) => path.replace('set/', '')));
    for (const row of rows) {
      expect(row).toMatch(
        row.includes('_positive/') ? /,1,[01](\.\d+)?(e-\d+)?,valid$/ : /,0,[01](\.\d+)?(e-\d+)?,valid$/,
      );
    }
    const correct = rows.filter((row) => Number(row.split(',')[2]) > 0.5 === row.includes(',1,')).length;
    expect(images?.accuracy).toBeCloseTo(correct / rows.length, 12);
    const { fitted_on: fitted, images: measured } = calibration as unknown as Calibration;
    expect(measured.before.bins).toHaveLength(15);
    expect(fitted + measured.before.count).toBe(rows.length);
  });

  test('report.html shows the scores, and the mistakes with their maps', async () => {
    const { document } = parseHTML(readFileSync(file('run/report.html'), 'utf8'));
    expect(document.title).toBe('DenseNet 121, 32 px, valid split of set');
    const predictions = lines('run/predictions.csv')
      .slice(1)
      .map((row) => row.split(','));
    const wrong = predictions.filter(([, label, probability]) => Number(probability) > 0.5 !== (label === '1'));
    const studies = new Set(wrong.map(([image = '']) => dirname(image)));
    const captions = [...document.querySelectorAll('.mistakes figcaption')].map(({ textContent }) => textContent ?? '');
    expect(captions).toHaveLength(Math.min(8, studies.size));
    for (const caption of captions) expect(wrong.map(([image]) => image)).toContain(caption.split(':')[0]);
    for (const [index, image] of [...document.querySelectorAll('.mistakes img')].entries()) {
      const [, base64 = ''] = /^data:image\/png;base64,(.*)$/.exec(image.getAttribute('src') ?? '') ?? [];
      const drawn = PNG.sync.read(Buffer.from(base64, 'base64'));
      const original = PNG.sync.read(readFileSync(file('set', captions[index >> 1]?.split(':')[0] ?? '')));
      // Smaller than what is shown at most.
      expect([drawn.width, drawn.height]).toEqual([original.width, original.height]);
      if (index % 2 === 0) expect(drawn.data.equals(original.data)).toBe(true);
    }
  });

  test('a table of a weights file, whose columns align', async () => {
    const { code, stdout } = await murad(folder, 'evaluate', 'run/best.safetensors', '--data', 'set');
    expect(code).toBe(0);
    const [title, header = '', ...rows] = stdout.trimEnd().split('\n');
    expect(title).toBe('DenseNet 121, 32 px, valid split of set, 95 % intervals by patient');
    expect(header.trim().split(/ +/)).toEqual(SCORES);
    expect(rows.map((row) => row.split(/ {2,}/)[0])).toContain('studies of');
    const start = header.indexOf('accuracy');
    expect(rows.pop()).toMatch(/^calibration on the half of the patients /);
    for (const row of rows)
      if (row !== 'studies of') expect(row.slice(start - 2, start + 5)).toMatch(/^ {2}(\d\.\d{3}|- *$)/);
  });
});

test.each([['evaluate run --data set'], ['predict run set/valid']])('SIGINT ends murad %s', async (words) => {
  const { process, ended } = start(folder, ...words.split(' '));
  await new Promise<void>((resolve) => {
    process.stderr?.on('data', (text: string) => text.includes('adapter: ') && resolve());
  });
  process.kill('SIGINT');
  const { code, stdout, stderr } = await ended;
  expect({ code, stdout, last: stderr.at(-1) }).toEqual({
    code: 1,
    stdout: '',
    last: `murad ${words.split(' ')[0]}: interrupted by SIGINT`,
  });
});

describe('predict', () => {
  test('takes JPEG files, of a folder too', async () => {
    const { width, height, data } = PNG.sync.read(readFileSync(file('mixed/a/image.png')));
    mkdirSync(file('jpeg'));
    writeFileSync(file('jpeg/image.JPG'), encode({ width, height, data }, 100).data);
    const found = predictionsOf((await murad(folder, 'predict', 'run', 'mixed/a', 'jpeg', '--json')).stdout);
    expect(found.map(({ image }) => image)).toEqual(['mixed/a/image.png', 'jpeg/image.JPG']);
    const [png, jpeg] = found.map(({ probability }) => probability);
    // A file without quantisation differs by rounding alone.
    expect(Math.abs((png ?? 0) - (jpeg ?? 1))).toBeLessThan(0.01);
  });

  test('says of each image what evaluate says, as JSON', async () => {
    const all = await murad(folder, 'predict', 'run', 'set/valid', '--json');
    expect(all.code).toBe(0);
    const found = predictionsOf(all.stdout);
    const expected = lines('run/predictions.csv')
      .slice(1)
      .map((row) => row.split(','));
    const ofImage = new Map(expected.map(([image = '', , probability]) => [`set/${image}`, Number(probability)]));
    expect(found.map(({ image }) => image)).toEqual([...ofImage.keys()].sort());
    for (const { image, probability, abnormal, cam } of found) {
      // predictions.csv has six digits; a batch of one and a batch of many round differently.
      expect(Math.abs(probability - (ofImage.get(image) ?? Number.NaN))).toBeLessThan(2e-6);
      expect({ abnormal, cam }).toEqual({ abnormal: probability > 0.5, cam: null });
    }
  });

  test('--cam-all draws every image at its own size under a name of its own', async () => {
    const words = [
      'mixed/b',
      'mixed/a/*.png',
      'mixed/a/image.png',
      '--image-size',
      '96',
      '--cam',
      'new/all',
      '--cam-all',
    ];
    const { code, stdout } = await murad(folder, 'predict', 'run', ...words, '--json');
    expect(code).toBe(0);
    const found = predictionsOf(stdout);
    expect(found.map(({ image, cam }) => [image, cam])).toEqual([
      ['mixed/b/image.png', 'new/all/b_image.png'],
      ['mixed/a/image.png', 'new/all/a_image.png'],
    ]);
    for (const { image, cam } of found) {
      const original = PNG.sync.read(readFileSync(file(image)));
      const drawn = PNG.sync.read(readFileSync(file(cam ?? '')));
      expect([drawn.width, drawn.height]).toEqual([original.width, original.height]);
      expect(drawn.data.equals(original.data)).toBe(false);
    }
  });

  test('--cam draws the abnormal ones; an image that is broken is named and skipped', async () => {
    const { code, stdout, stderr } = await murad(
      folder,
      'predict',
      'run',
      'mixed',
      'set/valid',
      '--cam',
      'some',
      '--json',
    );
    expect(code).toBe(0);
    const found = predictionsOf(stdout);
    expect(found).toHaveLength(2 + valid().length);
    const abnormal = found.filter((one) => one.abnormal);
    expect(abnormal.length).toBeGreaterThan(0);
    expect(abnormal.length).toBeLessThan(found.length);
    expect(found.filter(({ cam }) => cam !== null)).toEqual(abnormal);
    const written = readdirSync(file('some')).map((name) => `some/${name}`);
    expect(written.sort()).toEqual(abnormal.map(({ cam }) => cam).sort());
    expect(stderr).toContain(
      'at 32 px the class activation maps have one point: overlays show nothing; give a larger --image-size',
    );
    expect(withoutAdapter(stderr).filter((line) => line.includes('skipped'))).toEqual([
      'skipped: mixed/c/broken.png: truncated PNG: ends after 300 bytes',
      `1 of ${3 + valid().length} images skipped`,
    ]);
  });

  test.each([
    [2, '--cam-all needs --cam DIR, the folder for the overlays', ['mixed', '--cam-all']],
    [1, 'none.png does not exist: give PNG or JPEG files, folders of them, or globs', ['none.png']],
    [1, 'mixed/*.jpg matches no file: give PNG or JPEG files, folders of them, or globs', ['mixed/*.jpg']],
    [1, 'mixed/c/broken.png: truncated PNG: ends after 300 bytes', ['mixed/c/broken.png']],
    [1, 'none of the 2 images can be read', ['mixed/c/broken.png', 'mixed/c/notes.txt']],
    [1, 'cannot write to the folder run/config.json: it exists already', ['mixed/a', '--cam', 'run/config.json']],
    [
      1,
      '--cam mixed/a: the overlay would overwrite the image mixed/a/image.png; name another folder',
      ['mixed/a', '--cam', 'mixed/a'],
    ],
    [
      2,
      'densenet121 cannot take images of 16 pixels: the smallest --image-size is 29',
      ['mixed', '--image-size', '16'],
    ],
    [2, expect.stringMatching(/^unknown model "x": expected one of densenet121\b/), ['mixed', '--model', 'x']],
  ])('fails with code %d: %s', async (expected, line, words) => {
    const { code, stdout, stderr } = await murad(folder, 'predict', 'run', ...words);
    expect({ code, stdout, line: stderr.at(-1)?.replace(/^murad predict: /, '') }).toEqual({
      code: expected,
      stdout: '',
      line,
    });
  });
});

test('models --json has the published figures of DenseNet-121', async () => {
  const { code, stdout, stderr } = await murad(folder, 'models', '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: [] });
  expect(json(stdout).models).toContainEqual(
    expect.objectContaining({ name: 'densenet121', parameters: 7978856, parameters_one_output: 6954881, gmac: 5.782 }),
  );
});

describe('weights', () => {
  test('inspect lists every tensor', async () => {
    const { code, stdout } = await murad(folder, 'weights', 'inspect', 'run/best.safetensors');
    expect(code).toBe(0);
    const rows = stdout.trimEnd().split('\n');
    expect(rows[0]).toMatch(/^tensor +type +shape +min +max +mean$/);
    expect(rows).toContainEqual(expect.stringMatching(/^classifier\.weight +F32 +\[1, 1024\] +-\d.* +\d/));
    expect(rows.at(-1)).toBe(`${rows.length - 2} tensors, 7,038,650 elements`);
    const machine = await murad(folder, 'weights', 'inspect', 'run/best.safetensors', '--json');
    expect((json(machine.stdout).tensors as unknown[]).length).toBe(rows.length - 2);
  });

  test('convert writes half floats, with which predict says the same', async () => {
    const converted = await murad(
      folder,
      'weights',
      'convert',
      'run/best.safetensors',
      'half.safetensors',
      '--dtype',
      'F16',
    );
    expect(converted).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^half\.safetensors: 14,\d{3},\d{3} bytes\n$/),
    });
    const image = 'mixed/a/image.png';
    const [half] = predictionsOf((await murad(folder, 'predict', 'half.safetensors', image, '--json')).stdout);
    const [full] = predictionsOf((await murad(folder, 'predict', 'run', image, '--json')).stdout);
    // Weights are rounded by 2^-11 of themselves at most.
    expect(Math.abs((half?.probability ?? 0) - (full?.probability ?? 1))).toBeLessThan(0.002);
    expect(half?.probability).not.toBe(full?.probability);
  });

  test('convert does not overwrite what it reads', async () => {
    const words = ['run/best.safetensors', 'run/../run/best.safetensors'];
    expect(await murad(folder, 'weights', 'convert', ...words)).toEqual({
      code: 2,
      stdout: '',
      stderr: ['murad weights convert: OUT is FILE, run/best.safetensors: name another file to write'],
    });
  });

  test("export-onnx writes the run's network and weights", async () => {
    const { code, stdout, stderr } = await murad(folder, 'weights', 'export-onnx', 'run', 'run.onnx', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: [] });
    const bytes = readFileSync(file('run.onnx'));
    expect(json(stdout)).toEqual({ file: 'run/best.safetensors', out: 'run.onnx', bytes: bytes.length });
    const { inputs, initializers, producer } = decodeOnnx(bytes);
    expect(inputs).toEqual([{ name: 'image', shape: ['N', 3, 32, 32] }]);
    expect(producer).toEqual(['murad', expect.stringMatching(/^\d+\.\d+\.\d+$/)]);
    const { tensors } = readSafetensors('best', readFileSync(file('run/best.safetensors')));
    expect([...(initializers.get('classifier.bias')?.values ?? [])]).toEqual([
      ...(tensors.get('classifier.bias')?.data ?? []),
    ]);
  });

  test.each([
    [
      2,
      'run/best.safetensors run/best.safetensors',
      "OUT is RUN's weights file, run/best.safetensors: name another file to write",
    ],
    [
      2,
      'bare.safetensors x.onnx --model densenet121',
      'bare.safetensors does not say what it was trained for: give --image-size',
    ],
    [
      1,
      'bare.safetensors x.onnx --model densenet121 --image-size 32',
      expect.stringMatching(/^bare\.safetensors: 605 tensors do not fit the network /),
    ],
    [1, 'nowhere x.onnx', 'nowhere does not exist: give a run folder or a weights file'],
    [1, 'run no/x.onnx', 'cannot write no/x.onnx: no such file or folder'],
  ])('export-onnx, exit code %i: %s', async (code, words, line) => {
    const bias = floatTensor([1], Float32Array.of(0));
    writeFileSync(file('bare.safetensors'), writeSafetensors(new Map([['classifier.bias', bias]])));
    const ended = await murad(folder, 'weights', 'export-onnx', ...words.split(' '));
    const [said = ''] = ended.stderr;
    expect([ended.code, ended.stderr.length, said.replace(/^murad weights export-onnx: /, '')]).toEqual([
      code,
      1,
      line,
    ]);
    expect(existsSync(file('x.onnx'))).toBe(false);
  });

  test('what is no weights file', async () => {
    const { code, stderr } = await murad(folder, 'weights', 'convert', 'mixed/a/image.png', 'x.safetensors');
    expect([code, stderr]).toEqual([
      1,
      [
        expect.stringMatching(
          /^murad weights convert: mixed\/a\/image\.png: \d+ bytes beginning with 89 50 4e 47 0d 0a 1a 0a, expected a \.safetensors or \.pth file; get it again$/,
        ),
      ],
    ]);
    expect(existsSync(file('x.safetensors'))).toBe(false);
  });
});
