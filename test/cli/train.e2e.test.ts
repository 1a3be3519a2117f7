import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { readSafetensors } from '../../src/weights/safetensors.ts';
import { temporaryFolder } from '../io/temporary.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { makeSet, murad, SMALL, start, startScript, withoutAdapter } from './murad.ts';

const folder = temporaryFolder();
const file = (...path: string[]) => join(folder, ...path);
const text = (...path: string[]) => readFileSync(file(...path), 'utf8');
const hash = (...path: string[]) =>
  createHash('sha256')
    .update(readFileSync(file(...path)))
    .digest('hex');
const metrics = (run: string) =>
  text(run, 'metrics.jsonl')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** What decides how a run ends, without the time that it took. */
const outcome = (run: string) => ({
  best: hash(run, 'best.safetensors'),
  last: hash(run, 'last.safetensors'),
  metrics: metrics(run).map(({ images_per_s, ...epoch }) => epoch),
});

/** The network of the fewest parameters, whose dropout draws numbers in every step. */
const MODEL = ['--model', 'mobilenet_v2'];
/** Two epochs of three steps. */
const TWO_EPOCHS = [...SMALL, ...MODEL, '--limit', '12', '--epochs', '2'];
const SCORES = ['count', 'accuracy', 'precision', 'recall', 'f1', 'kappa', 'auc'];

beforeAll(() => makeSet(folder));

test('train writes the run folder, one JSON object and a line an epoch', async () => {
  const words = [...SMALL, '--limit', '8', '--epochs', '1', '--out', 'new/run'];
  const { code, stdout, stderr } = await murad(folder, 'train', ...words, '--json');
  expect({ code, stderr: stderr.at(0) }).toEqual({
    code: 0,
    stderr: expect.stringMatching(/^adapter: .+, because .+/),
  });
  // A slow machine tells of the steps too.
  const told = withoutAdapter(stderr).filter((line) => !/^epoch \d+\/\d+: \d+\/\d+ images/.test(line));
  expect(told).toEqual([
    expect.stringMatching(/^reading train: 8\/8 images/),
    expect.stringMatching(/^reading valid: 8\/8 images/),
    expect.stringMatching(
      /^epoch 1\/1: train loss \d\.\d{4}, valid loss \d\.\d{4}, images AUC \d\.\d{3}, studies kappa -?\d\.\d{3}, \d+\.\d images\/s, best so far$/,
    ),
  ]);
  expect(stdout.trimEnd()).not.toContain('\n');
  const [epoch] = metrics('new/run');
  expect(JSON.parse(stdout)).toEqual({ run: 'new/run', epochs: 1, best: epoch });
  expect(readdirSync(file('new/run')).sort()).toEqual([
    'best.safetensors',
    'choices.json',
    'config.json',
    'last.safetensors',
    'metrics.jsonl',
    'state.safetensors',
  ]);
  expect(Object.keys(epoch ?? {})).toEqual([
    'epoch',
    'train_loss',
    'valid_loss',
    'learning_rate',
    'images_per_s',
    'train_images',
    'images',
    'studies',
  ]);
  expect(Object.keys(epoch?.images as object)).toEqual(SCORES);
  expect(epoch).toMatchObject({ epoch: 1, learning_rate: 1e-4, images: { count: 8 }, studies: { count: 3 } });
  expect(JSON.parse(text('new/run/config.json'))).toEqual({
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    command: 'train',
    model: 'densenet121',
    image_size: 32,
    batch_size: 4,
    micro_batch: 4,
    epochs: 1,
    learning_rate: 1e-4,
    seed: 0,
    max_rotation: 30,
    plateau_patience: 10,
    best: 'loss',
    pretrained: null,
    freeze: null,
    freeze_epochs: null,
    dropout: null,
    class_weights: false,
    early_stop: null,
    save_minutes: 10,
    precision: 'f32',
    limit: 8,
    no_fuse: [],
    data: 'set',
    normalisation: 'imagenet',
    data_fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
    adapter: expect.any(String),
    driver: expect.any(String),
  });
  const { tensors, metadata } = readSafetensors('best', readFileSync(file('new/run/best.safetensors')));
  expect(metadata).toEqual({ model: 'densenet121', image_size: '32', normalisation: 'imagenet' });
  expect(tensors.get('classifier.weight')?.shape).toEqual([1, 1024]);
  expect(tensors.get('features.norm0.num_batches_tracked')?.data[0]).toBe(2n);
});

describeOnFastAdapter('the same bits', () => {
  let whole: ReturnType<typeof outcome>;
  beforeAll(async () => {
    expect((await murad(folder, 'train', ...TWO_EPOCHS, '--out', 'whole')).code).toBe(0);
    whole = outcome('whole');
  });

  test('two runs with one seed, and another run with another seed', async () => {
    const train = startScript('train.js', folder, [...TWO_EPOCHS, '--out', 'again']);
    expect((await train.ended).code).toBe(0);
    expect(outcome('again')).toEqual(whole);
    await murad(folder, 'train', ...TWO_EPOCHS, '--out', 'other', '--seed', '1', '--max-steps', '3');
    expect(hash('other', 'best.safetensors')).not.toBe(whole.best);
  });

  test('a run that stops within an epoch and goes on', async () => {
    const stopped = await murad(folder, 'train', ...TWO_EPOCHS, '--out', 'steps', '--max-steps', '4');
    expect(stopped).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/\n1 of 2 epochs are complete; go on with murad train --resume steps\n$/),
    });
    expect(metrics('steps')).toHaveLength(1);
    const resumed = await murad(folder, 'train', '--resume', 'steps');
    expect(resumed.stderr).toContainEqual('going on with steps from epoch 2, step 2');
    expect(outcome('steps')).toEqual(whole);
    const done = await murad(folder, 'train', '--resume', 'steps');
    expect(done.stderr.at(-1)).toBe('steps: all 2 epochs are complete; a larger --epochs asks for more');
    expect(outcome('steps')).toEqual(whole);
  });

  test('a run of micro-batches that stops within an epoch and goes on', async () => {
    const words = [...TWO_EPOCHS, '--micro-batch', '2'];
    const parts = await murad(folder, 'train', ...words, '--out', 'parts');
    expect(parts).toMatchObject({ code: 0 });
    const told = "a step of 4 images runs as 2 x 2; batch norm's statistics are per 2 images";
    expect(parts.stderr).toContainEqual(told);
    expect(metrics('parts').map((epoch) => epoch.epoch)).toEqual([1, 2]);
    expect(outcome('parts').last).not.toBe(whole.last);
    const stopped = await murad(folder, 'train', ...words, '--out', 'parts-on', '--max-steps', '4');
    expect(stopped.stdout).toMatch(/^best epoch 1: /);
    expect(JSON.parse(text('parts-on', 'config.json'))).toMatchObject({ batch_size: 4, micro_batch: 2 });
    const resumed = await murad(folder, 'train', '--resume', 'parts-on');
    expect(resumed.stderr).toEqual(expect.arrayContaining([told, 'going on with parts-on from epoch 2, step 2']));
    expect(outcome('parts-on')).toEqual(outcome('parts'));
    // As PyTorch counts them: 2 epochs of 3 steps of 2 passes.
    const { tensors } = readSafetensors('last', readFileSync(file('parts/last.safetensors')));
    expect(tensors.get('features.0.1.num_batches_tracked')?.data[0]).toBe(12n);
  });

  test('a run with --pretrained that was cut off before its first save', async () => {
    const words = [...SMALL, ...MODEL, '--limit', '12', '--epochs', '1', '--max-steps', '1'];
    const pretrained = ['--pretrained', 'whole/best.safetensors'];
    expect((await murad(folder, 'train', ...words, ...pretrained, '--out', 'fine')).code).toBe(0);
    const last = hash('fine', 'last.safetensors');
    for (const name of ['state', 'last']) rmSync(file('fine', `${name}.safetensors`));
    expect((await murad(folder, 'train', '--resume', 'fine', '--max-steps', '1')).code).toBe(0);
    expect(hash('fine', 'last.safetensors')).toBe(last);
  });

  test('a run that SIGINT interrupts and that goes on', async () => {
    const { process, ended } = start(folder, 'train', ...TWO_EPOCHS, '--out', 'signal');
    while (!existsSync(file('signal/config.json'))) await wait(10);
    process.kill('SIGINT');
    const { code, stdout, stderr } = await ended;
    expect({ code, stdout, last: stderr.slice(-2) }).toEqual({
      code: 1,
      stdout: '',
      last: [
        'SIGINT: ending in good order; once more ends at once',
        'murad train: interrupted by SIGINT: the run is saved; go on with murad train --resume signal',
      ],
    });
    expect(metrics('whole').length).toBeGreaterThan(text('signal', 'metrics.jsonl').split('\n').length - 1);
    expect((await murad(folder, 'train', '--resume', 'signal')).code).toBe(0);
    expect(outcome('signal')).toEqual(whole);
  });

  test('a loss that runs away ends the run, which keeps its last good epoch', async () => {
    cpSync(file('whole'), file('wild'), { recursive: true });
    const state = hash('wild', 'state.safetensors');
    const wild = await murad(folder, 'train', '--resume', 'wild', '--epochs', '3', '--lr', '1e30');
    expect(wild).toMatchObject({ code: 1, stdout: '' });
    expect(wild.stderr.at(-1)).toMatch(
      /^murad train: .+ (of epoch 3 became .+|is no longer finite) at learning rate 1e\+30: the run folder keeps epoch 2; go on with --resume and a lower --lr$/,
    );
    expect({ ...outcome('wild'), state: hash('wild', 'state.safetensors') }).toEqual({ ...whole, state });
    const tamed = await murad(folder, 'train', '--resume', 'wild', '--lr', '1e-5');
    expect(tamed.code).toBe(0);
    expect(metrics('wild').map((epoch) => epoch.learning_rate)).toEqual([1e-4, 1e-4, 1e-5]);
  });

  test('a run folder belongs to one process, which saves and leaves it where SIGTERM ends it', async () => {
    const words = '--data set --model mobilenet_v2 --image-size 32 --batch-size 4 --limit 12 --epochs 1000'.split(' ');
    const { process: running, ended } = start(folder, 'train', ...words, '--save-minutes', '0.001', '--out', 'busy');
    while (!existsSync(file('busy/state.safetensors'))) await wait(10);
    for (const own of [
      [...words, '--out', 'busy'],
      ['--resume', 'busy'],
    ]) {
      const { code, stderr } = await murad(folder, 'train', ...own);
      expect([code, stderr.at(-1)]).toEqual([
        1,
        expect.stringMatching(
          `^murad train: busy is in use by process ${running.pid} on .+: wait until it ends; if it is gone, remove busy/lock$`,
        ),
      ]);
    }
    running.kill('SIGTERM');
    const { code, stderr } = await ended;
    expect([code, stderr.at(-1)]).toEqual([
      1,
      'murad train: interrupted by SIGTERM: the run is saved; go on with murad train --resume busy',
    ]);
    expect(readdirSync(file('busy')).filter((name) => /lock|tmp/.test(name))).toEqual([]);
  });

  test('the options of a recipe are recorded, restored and kept', async () => {
    const recipe = '--freeze-epochs 1 --class-weights --dropout 0.2 --early-stop 4 --save-minutes 5'.split(' ');
    const words = [...TWO_EPOCHS, '--pretrained', 'whole/best.safetensors', ...recipe];
    const { code, stderr } = await murad(folder, 'train', ...words, '--out', 'recipe', '--max-steps', '4');
    expect(code).toBe(0);
    expect(stderr).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^abnormal and normal images count: XR_[A-Z]+ \d\.\d\d and \d\.\d\d/),
        'from epoch 2 on all weights learn; Adam begins anew',
      ]),
    );
    const recorded = {
      freeze: 'features',
      freeze_epochs: 1,
      class_weights: true,
      dropout: 0.2,
      early_stop: 4,
      save_minutes: 5,
    };
    expect(JSON.parse(text('recipe', 'config.json'))).toMatchObject(recorded);
    for (const [option, other] of [
      ['--dropout 0.3', 'dropout 0.2, not 0.3'],
      ['--freeze-epochs 2', 'freeze_epochs 1, not 2'],
    ] as const) {
      const refused = await murad(folder, 'train', '--resume', 'recipe', ...option.split(' '));
      expect([refused.code, refused.stderr.at(-1)]).toEqual([
        2,
        `murad train: recipe has ${other}: leave that out, or start a new run`,
      ]);
    }
    const resumed = await murad(folder, 'train', '--resume', 'recipe', '--early-stop', '1', '--max-steps', '5');
    expect(resumed.stderr).toContain('going on with recipe from epoch 2, step 2');
    expect(JSON.parse(text('recipe', 'config.json'))).toMatchObject({ ...recorded, early_stop: 1 });
  });

  test('an early stop counts from where the features are freed', async () => {
    // At such a rate no frozen epoch is better than the first.
    const recipe =
      '--epochs 5 --freeze-epochs 3 --early-stop 1 --best kappa --lr 1e-30 --pretrained whole/best.safetensors';
    const words = [...SMALL, ...MODEL, '--limit', '12', ...recipe.split(' ')];
    await murad(folder, 'train', ...words, '--out', 'freed');
    expect(metrics('freed').length).toBeGreaterThan(3);
    await murad(folder, 'train', ...words, '--out', 'freed-later', '--max-steps', '8');
    expect(metrics('freed-later')).toHaveLength(2);
    expect((await murad(folder, 'train', '--resume', 'freed-later')).code).toBe(0);
    expect(outcome('freed-later')).toEqual(outcome('freed'));
  });

  test('a run goes on with no other options and no other data', async () => {
    const refuse = async (...words: string[]) => {
      const { code, stdout, stderr } = await murad(folder, 'train', '--resume', 'whole', ...words);
      expect(stdout).toBe('');
      return [code, stderr.at(-1)];
    };
    expect(await refuse('--image-size', '64')).toEqual([
      2,
      'murad train: whole has image_size 32, not 64: leave that out, or start a new run',
    ]);
    expect(await refuse('--no-augment')).toEqual([
      2,
      'murad train: whole has max_rotation 30, not null: leave that out, or start a new run',
    ]);
    expect(await refuse('--micro-batch', '2')).toEqual([
      2,
      'murad train: whole has micro_batch 4, not 2: leave that out, or start a new run',
    ]);
    expect(await refuse('--out', 'else')).toEqual([2, 'murad train: --resume goes on in whole: leave out --out']);
    await murad(folder, 'phantom', 'others', '--studies', '20', '--size', '48', '--seed', '1');
    expect(await refuse('--data', 'others')).toEqual([
      1,
      'murad train: whole was trained on other images than others holds: give the data set it began with as --data',
    ]);
    expect(outcome('whole')).toEqual(whole);
    expect(JSON.parse(text('whole', 'config.json'))).toMatchObject({ image_size: 32, data: 'set' });
  });

  test('a batch larger than the data set takes all of it', async () => {
    const words = [...MODEL, ...'--data set --image-size 32 --batch-size 16 --limit 5 --epochs 1 --out few'.split(' ')];
    const { code, stderr } = await murad(folder, 'train', ...words);
    expect(code).toBe(0);
    expect(stderr).toContain('a step takes all 5 training images: fewer than the batch size of 16');
    expect(metrics('few')).toMatchObject([{ epoch: 1, images: { count: 5 } }]);
  });

  test('a batch that is chosen is recorded', async () => {
    const words = [...MODEL, ...'--data set --image-size 32 --limit 5 --max-steps 1 --out chosen'.split(' ')];
    const { code, stderr } = await murad(folder, 'train', ...words);
    expect(code).toBe(0);
    expect(stderr).toContain('--batch-size auto: 5 images a step');
    expect(JSON.parse(text('chosen', 'config.json'))).toMatchObject({ batch_size: 5, micro_batch: 5 });
  });
});
