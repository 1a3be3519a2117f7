import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../io/temporary.ts';
import { testOnFastAdapter } from '../support/adapter.ts';
import { cacheOf, makeSet, murad, withoutAdapter } from './murad.ts';

const folder = temporaryFolder();
const STEPS = '--data set --model mobilenet_v2 --image-size 32 --batch-size 4 --epochs 1 --limit 8'.split(' ');

beforeAll(() => makeSet(folder));

const weights = (run: string): string =>
  createHash('sha256')
    .update(readFileSync(join(folder, run, 'last.safetensors')))
    .digest('hex');

testOnFastAdapter('training gives the same bits with a cold cache, with a warm one and without one', async () => {
  writeFileSync(join(folder, 'file'), '');
  const train = async (run: string, ...words: string[]) => {
    const { code, stderr } = await murad(folder, 'train', ...STEPS, '--out', run, ...words);
    expect(code).toBe(0);
    return withoutAdapter(stderr);
  };
  expect((await train('cold')).filter((line) => line.includes('stay in memory'))).toEqual([]);
  const own = join(cacheOf(folder), 'murad/images');
  const [set = '', ...others] = readdirSync(own);
  expect([set, others]).toEqual([expect.stringMatching(/^set-32px-[0-9a-f]{16}$/), []]);
  expect(readdirSync(join(own, set))).toHaveLength(2);
  await train('warm');
  const told = await train('without', '--cache', 'file');
  expect(told.filter((line) => line.includes('stay in memory'))).toEqual([
    expect.stringMatching(
      /^the decoded images stay in memory: cannot write to the folder .*: a part of the path is a file, expected a folder$/,
    ),
    expect.stringMatching(/^the decoded images stay in memory: /),
  ]);
  expect(['warm', 'without'].map(weights)).toEqual(new Array(2).fill(weights('cold')));
});

test('train --pretrained NAME says how to fetch the weights that are not there', async () => {
  const { code, stdout, stderr } = await murad(folder, 'train', ...STEPS, '--pretrained', 'mobilenet_v2');
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toEqual([
    `murad train: ${join(cacheOf(folder), 'murad/weights/mobilenet_v2-b0353104.pth')}, the ImageNet weights of ` +
      'mobilenet_v2, is not there: murad weights fetch mobilenet_v2 fetches it',
  ]);
});
