import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { describeOnFastAdapter } from '../support/adapter.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

describeOnFastAdapter('kill -9', () => {
  test('five times in a run changes nothing of what it ends with', () => {
    const adapter = process.env.MURAD_TEST_ADAPTER ? ['--adapter', process.env.MURAD_TEST_ADAPTER] : [];
    const words = ['scripts/kills.mjs', '--kills', '5', '--epochs', '5', ...adapter];
    const told = execFileSync(process.execPath, words, { cwd: ROOT, encoding: 'utf8' });
    expect(JSON.parse(told)).toMatchObject({ kills: 5, runsThatDiffer: 0 });
  }, 300_000);
});
