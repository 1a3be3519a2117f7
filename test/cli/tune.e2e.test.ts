import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { ChoicesFile } from '../../src/train/choices-file.ts';
import { temporaryFolder } from '../io/temporary.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { cacheOf, makeSet, murad, SMALL } from './murad.ts';

const folder = temporaryFolder();
const file = (...path: string[]) => join(folder, ...path);
const cache = join(cacheOf(folder), 'murad');
const hash = (...path: string[]) =>
  createHash('sha256')
    .update(readFileSync(file(...path)))
    .digest('hex');
const choicesOf = (run: string) => JSON.parse(readFileSync(file(run, 'choices.json'), 'utf8')) as ChoicesFile;

/** An epoch of three steps of a network of few sizes; validation reads as many images at once as evaluate does. */
const WORDS = [...SMALL, ...'--model resnet34 --limit 12 --epochs 1'.split(' ')];
/** Several runs, each a process of its own. In milliseconds. */
const LONG = 400_000;

const train = (...words: string[]) => murad(folder, 'train', ...words);
const outcome = (run: string) => ['best', 'last'].map((name) => hash(run, `${name}.safetensors`));

describeOnFastAdapter('kernels that were chosen', { timeout: LONG }, () => {
  let cached: string;
  let tuned: ChoicesFile;
  const writeCache = (choices: object) => writeFileSync(cached, JSON.stringify(choices));
  /** The first convolution and its gradients by the plainest kernels, whose sums have another order. */
  const plain = (): ChoicesFile => {
    const first = Object.keys(tuned.choices).filter((key) => key.includes('[7,7,4,64]'));
    expect(first.length).toBeGreaterThan(1);
    return { ...tuned, choices: Object.fromEntries(first.map((key) => [key, 'direct'])) };
  };

  beforeAll(async () => {
    await makeSet(folder);
    const { code, stderr } = await train(...WORDS, '--max-steps', '1', '--out', 'tuned', '--tune');
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContainEqual(
      expect.stringMatching(/^checked \d+ sizes, tuned \d+: at \d+ another kernel than the first /),
    );
    const [name, ...others] = readdirSync(cache).filter((entry) => entry !== 'images');
    expect([name, others]).toEqual([expect.stringMatching(/^choices-[0-9a-f]{16}\.json$/), []]);
    cached = join(cache, name as string);
    tuned = JSON.parse(readFileSync(cached, 'utf8')) as ChoicesFile;
  }, LONG);

  test('are kept for the adapter and with the run', () => {
    const { adapter, driver, version } = JSON.parse(readFileSync(file('tuned', 'config.json'), 'utf8'));
    expect(tuned).toMatchObject({ adapter, driver, version, wrong: [] });
    expect(choicesOf('tuned')).toEqual(tuned);
    const ops = new Set(Object.keys(tuned.choices).map((key) => key.split(' ')[0]));
    expect([...ops].sort()).toEqual(['conv2d', 'conv2d_data_gradient', 'conv2d_weight_gradient']);
  });

  test('are those of the run when it goes on, whatever was tuned since', async () => {
    writeCache(plain());
    expect((await train(...WORDS, '--out', 'whole')).code).toBe(0);
    expect(choicesOf('whole').choices).toMatchObject(plain().choices);
    const stopped = await train(...WORDS, '--out', 'parts', '--max-steps', '2');
    expect(stopped).toMatchObject({ code: 0, stdout: expect.stringContaining('go on with') });
    const before = choicesOf('parts');
    expect(before).toEqual(choicesOf('whole'));
    rmSync(cached);
    expect((await train('--resume', 'parts')).code).toBe(0);
    expect(outcome('parts')).toEqual(outcome('whole'));
    expect(choicesOf('parts')).toEqual(before);
    // That it matters: without the cache another run takes other kernels.
    expect((await train(...WORDS, '--out', 'other')).code).toBe(0);
    expect(choicesOf('other').choices).not.toEqual(before.choices);
    expect(outcome('other')).not.toEqual(outcome('whole'));
  });

  test('are those of the run when it is measured', async () => {
    writeCache({ ...plain(), choices: {} });
    const evaluate = async () => {
      const { code, stderr } = await murad(folder, 'evaluate', 'whole', '--data', 'set');
      expect({ code, stderr }).toMatchObject({ code: 0 });
      return stderr.filter((line) => line.includes('kernels'));
    };
    expect(await evaluate()).toEqual([]);
    const path = file('whole', 'choices.json');
    const own = readFileSync(path, 'utf8');
    writeFileSync(path, own.replaceAll('"direct"', '"gone"'));
    expect(await evaluate()).toEqual([
      expect.stringMatching(
        /^chosen kernels that do not exist or fit here: gone of conv2d .+; the first that fits is used$/,
      ),
    ]);
    writeFileSync(path, JSON.stringify({ ...plain(), driver: 'another driver' }));
    expect(await evaluate()).toEqual([
      `whole chose its kernels on ${tuned.adapter}, another driver: this adapter's own are used`,
    ]);
    writeFileSync(path, own);
  });

  test('are the first that fit in a run from before they were kept', async () => {
    cpSync(file('other'), file('older'), { recursive: true });
    rmSync(file('older', 'choices.json'));
    writeCache(plain());
    expect((await train('--resume', 'older', '--epochs', '2')).code).toBe(0);
    expect(choicesOf('older').choices).toEqual(choicesOf('other').choices);
  });

  test.each([
    ['of another version', () => ({ ...plain(), version: '0.0.1' }), /was tuned by version 0\.0\.1 on .+: left out/],
    [
      'that is damaged',
      () => ({ choices: [] }),
      /holds no choices of kernels: .+: left out; murad train --tune writes/,
    ],
  ])('%s, in the cache, are left out', async (_, content, told) => {
    writeCache(content());
    const { code, stderr } = await murad(folder, 'evaluate', 'whole/best.safetensors', '--data', 'set');
    expect({ code, told: stderr.filter((line) => line.includes(cached)) }).toEqual({
      code: 0,
      told: [expect.stringMatching(told)],
    });
  });

  test('cannot be tuned again within a run', async () => {
    const { code, stderr } = await train('--resume', 'whole', '--tune');
    expect([code, stderr.at(-1)]).toEqual([
      2,
      'murad train: --resume goes on with the kernels that whole records: leave out --tune',
    ]);
  });

  test('that a run cannot read end it', async () => {
    writeFileSync(file('other', 'choices.json'), '{}');
    const { code, stderr } = await train('--resume', 'other');
    expect([code, stderr.at(-1)]).toEqual([
      1,
      expect.stringMatching(/^murad train: other\/choices\.json holds no choices of kernels: expected /),
    ]);
  });
});
