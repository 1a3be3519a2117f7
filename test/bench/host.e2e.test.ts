import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../io/temporary.ts';
import { testOnFastAdapter } from '../support/adapter.ts';

const SCRIPT = fileURLToPath(new URL('../../bench/host.mjs', import.meta.url));
const ADAPTER = process.env.MURAD_TEST_ADAPTER ?? 'auto';

interface Part {
  readonly status: string;
  readonly reason?: string;
  readonly result?: unknown;
}

interface Report {
  readonly adapter: { readonly name: string };
  readonly parts: Readonly<Record<string, Part>>;
}

/** A word of its own, by which the processes of a run are known. */
const TAG = `host-test-${process.pid}`;

const startHost = (folder: string, ...words: string[]) =>
  spawn(process.execPath, [SCRIPT, '--adapter', ADAPTER, '--out', join(folder, TAG), ...words], {
    env: { ...process.env, TMPDIR: folder },
    stdio: 'ignore',
  });

/** Runs it to its end; its exit code. */
async function runHost(folder: string, words: string): Promise<number> {
  const [code] = await once(startHost(folder, ...words.split(' ')), 'close');
  return code as number;
}

/** What a run in `folder` wrote. */
function written(folder: string): { report: Report; markdown: string } {
  const names = readdirSync(join(folder, TAG)).sort();
  expect(names).toEqual([expect.stringMatching(/-host\.json$/), expect.stringMatching(/-host\.md$/)]);
  const [json, markdown] = names.map((name) => readFileSync(join(folder, TAG, name), 'utf8')) as [string, string];
  return { report: JSON.parse(json), markdown };
}

/** The processes that were started with `folder` as the one for temporary files; none where the system does not list them. */
function processesOf(folder: string): string[] {
  if (!existsSync('/proc')) return [];
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`TMPDIR=${folder}`);
    } catch {
      return false;
    }
  });
}

describe('bench:host', () => {
  const folder = temporaryFolder();

  testOnFastAdapter('writes the figures of its parts as JSON and as tables', async () => {
    await runHost(folder, '--minutes 3 --size 32 --batches 2 --parts steps,kernels');
    const { report, markdown } = written(folder);
    const { steps, kernels, check } = report.parts;
    const rows = steps?.result as readonly Record<string, unknown>[];
    expect(rows[0]).toMatchObject({ precision: 'f32', peaks: { gflops_f32: expect.any(Number) } });
    const figures = { median_s: expect.any(Number), flops: expect.any(Number), planned_bytes: expect.any(Number) };
    for (const kind of ['training', 'inference']) {
      const row = rows.find((one) => one.kind === kind && one.precision === 'f32');
      expect(row).toMatchObject({ batch_size: 2, image_size: 32, outside: { bytes: expect.any(Number) }, ...figures });
    }
    expect(kernels).toMatchObject({ status: 'done', result: { batch_size: 2, kernels: expect.any(Array) } });
    expect(check).toEqual({ status: 'left out', reason: 'not asked for' });
    for (const title of ['Training step and inference', 'Where a step goes']) {
      expect(markdown).toContain(`\n## ${title}\n`);
    }
    expect(markdown).not.toMatch(/NaN|undefined|null/);
    expect(processesOf(folder)).toEqual([]);
  });

  testOnFastAdapter('says of a part that is cut off why', async () => {
    const code = await runHost(folder, '--minutes 0.13 --parts check');
    const { check } = written(folder).report.parts;
    expect(check?.reason).toMatch(/^(cut off after \d+ s: .|no time left of 0\.13 minutes)/);
    expect(code).toBe(check?.status === 'failed' ? 1 : 0);
    expect(processesOf(folder)).toEqual([]);
  });

  test.skipIf(ADAPTER === 'embedded')('leaves no process behind, even where it is killed', async () => {
    const host = startHost(folder, '--parts', 'check');
    // Itself and the part that it runs.
    while (processesOf(folder).length < 2 && host.exitCode === null) await wait(50);
    expect(host.exitCode).toBeNull();
    host.kill('SIGKILL');
    await once(host, 'close');
    for (let turns = 0; processesOf(folder).length > 0 && turns < 100; turns++) await wait(100);
    expect(processesOf(folder)).toEqual([]);
  });

  test('names the parts that there are', async () => {
    const host = spawn(process.execPath, [SCRIPT, '--parts', 'steps,all'], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    host.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const [code] = await once(host, 'close');
    expect([code, said]).toEqual([
      2,
      'bench:host: got --parts all; expected numbers above 0, and of the parts: steps, check, pytorch, kernels, peers, variants\n',
    ]);
  });
});
