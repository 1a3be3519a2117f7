import { afterEach, describe, expect, test, vi } from 'vitest';
import { InternalError, UserError } from '../../src/base/errors.ts';
import type { CommandModule } from '../../src/cli/command.ts';
import { runCommandLine } from '../../src/cli/command-line.ts';
import type { CommandName } from '../../src/cli/options.ts';

const train = vi.hoisted(() => vi.fn<CommandModule<'train'>['run']>());
const predict = vi.hoisted(() => vi.fn<CommandModule<'predict'>['run']>());
vi.mock('../../src/cli/train.ts', () => ({ run: train }));
vi.mock('../../src/cli/predict.ts', () => ({ run: predict }));

async function murad(...words: string[]) {
  const out = { code: -1, stdout: '', stderr: '' };
  const append = (name: 'stdout' | 'stderr', text: string) => {
    out[name] += text;
  };
  const stream = (name: 'stdout' | 'stderr') => ({ write: (text: string) => append(name, text) });
  out.code = await runCommandLine(words, { stdout: stream('stdout'), stderr: stream('stderr') });
  return out;
}

afterEach(() => vi.resetAllMocks());

describe('options', () => {
  test('defaults are those of the paper', async () => {
    train.mockResolvedValue({ json: {}, text: '' });
    expect(await murad('train')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(train.mock.calls[0]?.[0]).toEqual({
      model: 'densenet121',
      imageSize: 320,
      epochs: 100,
      batchSize: 'auto',
      lr: 1e-4,
      seed: 0,
      noFuse: [],
      augment: true,
      maxRotation: 30,
      plateauPatience: 10,
      best: 'loss',
      adapter: 'auto',
      json: false,
      verbose: false,
      tune: false,
      classWeights: false,
      precision: 'f32',
      saveMinutes: 10,
    });
  });

  test('values are parsed', async () => {
    train.mockResolvedValue({ json: {}, text: '' });
    const words = '--data d --image-size 64 --batch-size 8 --lr 3e-4 --no-augment --best kappa --max-steps 5 --json';
    await murad('train', ...words.split(' '));
    expect(train.mock.calls[0]?.[0]).toMatchObject({
      data: 'd',
      imageSize: 64,
      batchSize: 8,
      lr: 3e-4,
      augment: false,
      best: 'kappa',
      maxSteps: 5,
      json: true,
    });
  });

  test('a command knows which options are given', async () => {
    train.mockResolvedValue({ json: {}, text: '' });
    await murad('train', '--lr', '1e-4', '--no-augment');
    const context = train.mock.calls[0]?.[1];
    const given = ['lr', 'augment', 'epochs', 'json'].filter((option) => context?.isGiven(option));
    expect(given).toEqual(['lr', 'augment']);
  });

  test('arguments stand beside options', async () => {
    predict.mockResolvedValue({ json: {}, text: '' });
    await murad('predict', 'runs/a', 'x.png', '--cam', 'out', 'y.png');
    expect(predict.mock.calls[0]?.[0]).toMatchObject({ run: 'runs/a', images: ['x.png', 'y.png'], cam: 'out' });
  });
});

describe('wrong usage is one line and code 2', () => {
  test.each([
    ['train --image-size abc', 'murad train: --image-size expects a positive whole number, got "abc"'],
    ['train --batch-size 0', 'murad train: --batch-size expects a positive whole number or auto, got "0"'],
    ['train --best f1', 'murad train: --best expects loss or kappa, got "f1"'],
    ['train --epoch 3', "murad train: unknown option '--epoch' (Did you mean --epochs?); see murad train --help"],
    ['train --lr', "murad train: option '--lr <RATE>' argument missing; see murad train --help"],
    [
      'train now',
      "murad train: too many arguments for 'train'. Expected 0 arguments but got 1; see murad train --help",
    ],
    ['weights merge', "murad weights: unknown command 'merge'; see murad weights --help"],
    ['weights inspect', "murad weights inspect: missing required argument 'FILE'; see murad weights inspect --help"],
    ['tran', "murad: unknown command 'tran' (Did you mean train?); see murad --help"],
    ['evaluate runs/a', "murad evaluate: required option '--data <DIR>' not specified; see murad evaluate --help"],
    ['predict runs/a', "murad predict: missing required argument 'IMAGE'; see murad predict --help"],
  ])('murad %s', async (words, line) => {
    expect(await murad(...words.split(' '))).toEqual({ code: 2, stdout: '', stderr: `${line}\n` });
    expect(train).not.toHaveBeenCalled();
  });

  test('no command shows the help', async () => {
    const { code, stdout, stderr } = await murad();
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^Usage: murad .*Commands:/s);
  });
});

describe('output', () => {
  const result = { json: { loss: 0.5 }, text: 'the loss is 0.5\n\n' };

  test('text by default, one JSON object with --json', async () => {
    train.mockResolvedValue(result);
    expect((await murad('train')).stdout).toBe('the loss is 0.5\n');
    expect((await murad('train', '--json')).stdout).toBe('{"loss":0.5}\n');
  });

  test('a command that tells of a failure has code 1', async () => {
    train.mockResolvedValue({ ...result, failed: true });
    expect(await murad('train')).toEqual({ code: 1, stdout: 'the loss is 0.5\n', stderr: '' });
  });

  test('notes and progress go to stderr', async () => {
    train.mockImplementation(async (_options, context) => {
      context.note('adapter: none');
      const progress = context.progress('epoch 1', 'images');
      progress.update(4, 4);
      progress.end();
      return result;
    });
    const { stdout, stderr } = await murad('train', '--json');
    expect(stdout).toBe('{"loss":0.5}\n');
    expect(stderr).toMatch(/^adapter: none\nepoch 1: 4\/4 images.*\n$/);
  });

  test.each<[CommandName]>([
    ['train'],
    ['evaluate'],
    ['predict'],
    ['dataset'],
    ['phantom'],
    ['models'],
    ['weights inspect'],
    ['weights convert'],
    ['weights export-onnx'],
    ['profile'],
    ['bench kernels'],
    ['bench step'],
    ['doctor'],
    ['start'],
  ])('murad %s --help', async (name) => {
    const { code, stdout, stderr } = await murad(...name.split(' '), '--help');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^Usage: murad ${name} .*--json .*--verbose`, 's'));
  });

  test('--version', async () => {
    expect((await murad('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('errors have code 1', () => {
  test("a user's error is its line, with the stack where --verbose is given", async () => {
    train.mockRejectedValue(new UserError('no such folder'));
    expect(await murad('train')).toEqual({ code: 1, stdout: '', stderr: 'murad train: no such folder\n' });
    expect((await murad('train', '--verbose')).stderr).toMatch(/^murad train: no such folder\nUserError: .*\n +at /);
  });

  test('a fault of the library says that it is one', async () => {
    train.mockRejectedValue(new InternalError('no plan'));
    expect((await murad('train')).stderr).toMatch(/^murad train: internal: no plan \(a bug in murad: .*\)\n$/);
    train.mockRejectedValue(new TypeError('x is undefined'));
    const { code, stderr } = await murad('train');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^murad train: internal: TypeError: x is undefined \(a bug in murad: .*\)\n$/);
  });
});

test('a signal interrupts a command that asked for it, and the signals are given back', async () => {
  const before = process.listenerCount('SIGINT');
  train.mockImplementation(async (_options, context) => {
    const signal = context.interruption();
    expect(process.listenerCount('SIGINT')).toBe(before + 1);
    process.emit('SIGINT', 'SIGINT');
    signal.throwIfAborted();
    throw new Error('it went on');
  });
  const { code, stderr } = await murad('train');
  expect(code).toBe(1);
  expect(stderr).toBe('SIGINT: ending in good order; once more ends at once\nmurad train: interrupted by SIGINT\n');
  expect(process.listenerCount('SIGINT')).toBe(before);
});
