import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { writeSafetensors } from '../../src/weights/safetensors.ts';
import { temporaryFolder } from '../io/temporary.ts';
import { makeSet, murad, SMALL, startScript, withoutAdapter } from './murad.ts';

const folder = temporaryFolder();
const file = (...path: string[]) => join(folder, ...path);

beforeAll(() => makeSet(folder));

/** The exit code and the last line of a command that fails; nothing is left of `out`. */
async function failure(...words: string[]): Promise<[number | null, string]> {
  const { code, stdout, stderr } = await murad(folder, ...words);
  expect(stdout).toBe('');
  expect(stderr.filter((line) => /^ +at /.test(line))).toEqual([]);
  return [code, stderr.at(-1) ?? ''];
}

/** As above, for a training run into a folder that must not be made. */
async function failedTraining(...words: string[]): Promise<[number | null, string]> {
  const result = await failure('train', '--epochs', '1', '--out', 'out/run', ...words);
  expect(existsSync(file('out'))).toBe(false);
  return result;
}

const images = () => readFileSync(file('set', 'train_image_paths.csv'), 'utf8').trimEnd().split('\n');

/** A copy of the data set, changed. */
function copyOfSet(name: string, change: (path: (...parts: string[]) => string) => void): string {
  cpSync(file('set'), file(name), { recursive: true });
  change((...parts) => file(name, ...parts));
  return name;
}

describe('wrong usage: exit code 2, before any data is read', () => {
  test.each([
    ['--image-size abc', '--image-size expects a positive whole number, got "abc"'],
    ['--image-size 0', '--image-size expects a positive whole number, got "0"'],
    ['--image-size 28', 'densenet121 cannot take images of 28 pixels: the smallest --image-size is 29'],
    ['--batch-size 16 --micro-batch 5', '--micro-batch 5 does not divide a batch of 16 images: choose one that does'],
    ['--model resnet9', expect.stringMatching(/^unknown model "resnet9": expected one of densenet121\b/)],
    ['--freeze head', '--freeze expects features, got "head"'],
    ['--freeze features', 'frozen features that are drawn at random learn nothing: give --pretrained too'],
    ['--freeze-epochs 3', 'frozen features that are drawn at random learn nothing: give --pretrained too'],
    ['--dropout 1', '--dropout expects a probability of at least 0 and below 1, got "1"'],
    ['--model resnet34 --dropout 0.2', 'resnet34 has no layers of dropout: leave out --dropout'],
    ['--no-augment --max-rotation 10', '--no-augment turns no image: leave out --max-rotation'],
    ['--early-stop 0', '--early-stop expects a positive whole number, got "0"'],
    ['--save-minutes 0', '--save-minutes expects a positive number, got "0"'],
    ['--flag', "unknown option '--flag'; see murad train --help"],
  ])('train %s', async (words, line) => {
    const [code, last] = await failedTraining('--data', 'nowhere', ...words.split(' '));
    expect([code, last.replace(/^murad train: /, '')]).toEqual([2, line]);
  });

  test('models for images that no network takes', async () => {
    expect(await failure('models', '--image-size', '8')).toEqual([
      2,
      expect.stringMatching(/^murad models: \w+ cannot take images of 8 pixels: the smallest --image-size is \d+$/),
    ]);
  });
});

describe('data sets that cannot be used: exit code 1, and no run folder', () => {
  const LAYOUT =
    "expected a folder in MURA's layout (train_image_paths.csv, train_labeled_studies.csv, valid_image_paths.csv, valid_labeled_studies.csv)";

  test('a folder that does not exist', async () => {
    expect(await failedTraining('--data', 'nowhere')).toEqual([
      1,
      `murad train: nowhere has no train_image_paths.csv: ${LAYOUT}`,
    ]);
  });

  test('a CSV file is missing', async () => {
    const data = copyOfSet('no-valid', (path) => rmSync(path('valid_image_paths.csv')));
    const line = `no-valid has no valid_image_paths.csv: ${LAYOUT}`;
    expect(await failedTraining('--data', data)).toEqual([1, `murad train: ${line}`]);
  });

  test('the validation split is empty', async () => {
    const data = copyOfSet('empty-valid', (path) => {
      for (const name of ['valid_image_paths.csv', 'valid_labeled_studies.csv']) writeFileSync(path(name), '');
    });
    expect(await failedTraining('--data', data)).toEqual([
      1,
      'murad train: empty-valid/valid_labeled_studies.csv is empty: expected a study a line',
    ]);
  });

  test('a study has no image', async () => {
    const data = copyOfSet('empty-study', (path) => {
      const studies = readFileSync(path('train_labeled_studies.csv'), 'utf8');
      writeFileSync(path('train_labeled_studies.csv'), `${studies}set/train/XR_HAND/patient99999/study1_negative/,0\n`);
    });
    expect(await failedTraining('--data', data)).toEqual([
      1,
      'murad train: empty-study/train_labeled_studies.csv, line 17: study train/XR_HAND/patient99999/study1_negative has no image in train_image_paths.csv',
    ]);
  });

  test('more than 1 % of the images are damaged', async () => {
    const [first = '', second = ''] = images().map((path) => path.replace('set/', ''));
    const data = copyOfSet('damaged', (path) => {
      for (const image of [first, second]) truncateSync(path(image), 300);
    });
    const [code, line] = await failedTraining('--data', data, '--image-size', '32');
    expect(code).toBe(1);
    expect(line).toBe(
      `murad train: 2 of ${images().length} images of train cannot be read, expected at most 1: ` +
        `${first} (truncated PNG: ends after 300 bytes), ${second} (truncated PNG: ends after 300 bytes)`,
    );
  });
});

test('one damaged image is named, skipped and counted; a stray ._ file is passed over', async () => {
  const [first = ''] = images().map((path) => path.replace('set/', ''));
  const data = copyOfSet('one-damaged', (path) => {
    truncateSync(path(first), 300);
    const stray = images()[0]?.replace('set/', 'one-damaged/').replace('image1', '._image1') ?? '';
    writeFileSync(file(stray), 'no image');
    writeFileSync(path('train_image_paths.csv'), `${stray}\n${images().join('\n')}\n`);
  });
  const words = ['--data', data, '--image-size', '32', '--batch-size', '4', '--max-steps', '1', '--epochs', '1'];
  const { code, stderr } = await murad(folder, 'train', ...words, '--out', 'skipped');
  expect(code).toBe(0);
  expect(withoutAdapter(stderr).slice(0, 4)).toEqual([
    expect.stringMatching(`^reading train: ${images().length}/${images().length} images`),
    `skipped ${first}: truncated PNG: ends after 300 bytes`,
    `train: 1 of ${images().length} images skipped`,
    expect.stringMatching(/^reading valid/),
  ]);
});

describe('run folders and weights', () => {
  test('--out below a file', async () => {
    writeFileSync(file('plain'), '');
    expect(await failure('train', ...SMALL, '--out', 'plain/run')).toEqual([
      1,
      'murad train: cannot write to the folder plain/run: a part of the path is a file, expected a folder',
    ]);
  });

  test('an --out or --adapter that is wrong is told before a phantom set is drawn', async () => {
    const { code, stderr } = await murad(folder, 'train', '--out', 'plain/run');
    expect([code, stderr]).toEqual([
      1,
      ['murad train: cannot write to the folder plain/run: a part of the path is a file, expected a folder'],
    ]);
    // Not by way of `murad`, which adds the tests' own --adapter.
    const wrong = await startScript('dist/cli/main.js', folder, ['train', '--adapter', 'nothing-like-it']).ended;
    expect([wrong.code, wrong.stderr]).toEqual([1, [expect.stringContaining('nothing-like-it')]]);
    expect(['data', 'runs'].filter((name) => existsSync(file(name)))).toEqual([]);
  });

  test('--out holds a run; --resume of what is none', async () => {
    mkdirSync(file('run'));
    writeFileSync(file('run', 'config.json'), '{"model":"densenet121"}');
    expect(await failure('train', ...SMALL, '--out', 'run')).toEqual([
      1,
      'murad train: run holds a run already: go on with --resume run, or choose another --out',
    ]);
    expect(await failure('train', '--resume', 'run')).toEqual([
      1,
      'murad train: run/config.json is no run\'s config: expected a JSON object with "model" and "image_size"',
    ]);
    expect(await failure('train', '--resume', 'set')).toEqual([
      1,
      'murad train: set is no run folder: it has no config.json',
    ]);
    expect(readdirSync(file('run'))).toEqual(['config.json']);
  });

  test('--pretrained is missing, or no weights file', async () => {
    expect(await failedTraining(...SMALL, '--pretrained', 'nowhere.pth')).toEqual([
      1,
      'murad train: cannot read nowhere.pth: no such file or folder',
    ]);
    expect(await failedTraining(...SMALL, '--pretrained', 'set/boxes.csv')).toEqual([
      1,
      expect.stringMatching(
        /^murad train: set\/boxes\.csv: \d+ bytes beginning with 69 6d .+, expected a \.safetensors or \.pth file; get it again$/,
      ),
    ]);
  });

  test('a run that does not exist, or has no weights', async () => {
    expect(await failure('evaluate', 'nowhere', '--data', 'set')).toEqual([
      1,
      'murad evaluate: nowhere does not exist: give a run folder or a weights file',
    ]);
    mkdirSync(file('begun'));
    writeFileSync(file('begun', 'config.json'), '{"model":"densenet121","image_size":32}');
    expect(await failure('evaluate', 'begun', '--data', 'set')).toEqual([
      1,
      'murad evaluate: begun has no weights yet: go on with murad train --resume begun',
    ]);
  });
});

describe('a state that cannot be gone on with: one line, and nothing is lost', () => {
  const RUN = '--data set --model mobilenet_v2 --image-size 32 --batch-size 4 --limit 8 --epochs 1'.split(' ');
  const names = () => readdirSync(file('good')).sort();
  const contents = (run: string) => names().map((name) => readFileSync(file(run, name)));

  /** Resumes a copy of a good run with another state; returns the last line, after checking that the copy is unchanged. */
  async function resumeWith(change: (state: string) => void): Promise<string> {
    rmSync(file('copy'), { recursive: true, force: true });
    cpSync(file('good'), file('copy'), { recursive: true });
    change(file('copy', 'state.safetensors'));
    const before = contents('copy');
    const [code, line] = await failure('train', '--resume', 'copy', '--epochs', '2');
    expect(code).toBe(1);
    expect(readdirSync(file('copy')).sort()).toEqual(names());
    expect(contents('copy').map((bytes, index) => bytes.equals(before[index] as Buffer))).not.toContain(false);
    return line;
  }

  test('cut short, of another network, or no state at all', async () => {
    expect((await murad(folder, 'train', ...RUN, '--out', 'good')).code).toBe(0);
    expect(await resumeWith((state) => truncateSync(state, 10_000_000))).toMatch(
      /^murad train: copy\/state\.safetensors: tensor ".+" lies at bytes \d+ to \d+, but the file's data has \d+ bytes; get the file again$/,
    );
    expect(await resumeWith((state) => truncateSync(state, 0))).toBe(
      'murad train: copy/state.safetensors: 0 bytes are too few for a safetensors file; get the file again',
    );
    expect(await resumeWith((state) => cpSync(file('good', 'last.safetensors'), state))).toBe(
      'murad train: copy/state.safetensors does not say where its run stands: start a new run from it with --pretrained',
    );
    const other = writeSafetensors(new Map(), { model: 'resnet34', progress: '{}', steps: '1' });
    expect(await resumeWith((state) => writeFileSync(state, other))).toBe(
      'murad train: copy/state.safetensors: expected the state of a mobilenet_v2 run but it is one of resnet34: ' +
        'resume the run folder it belongs to',
    );
  });

  test('weights of another network to read with or to start from', async () => {
    const words = ['--model', 'resnet34', '--image-size', '32', '--data', 'set'];
    const [code, line] = await failure('evaluate', 'good/best.safetensors', ...words);
    expect([code, line]).toEqual([1, expect.stringMatching(/^murad evaluate: good\/best\.safetensors: /)]);
    const begun = await failedTraining(...SMALL, '--model', 'resnet34', '--pretrained', 'good/best.safetensors');
    expect(begun).toEqual([1, expect.stringMatching(/^murad train: good\/best\.safetensors: /)]);
  });
});
