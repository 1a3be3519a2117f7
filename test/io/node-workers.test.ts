import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import type { ImageFacts } from '../../src/data/packed.ts';
import { encodeNodePng, nodeDecoder } from '../../src/io/node-png.ts';
import { runJobs } from '../../src/io/node-worker-pool.ts';
import { nodeImageReader } from '../../src/io/node-workers.ts';
import { temporaryFolder } from './temporary.ts';

const folder = temporaryFolder();

/** Writes `count` made-up images, every third of them RGB; returns their names. */
async function writeImages(count: number): Promise<string[]> {
  const names: string[] = [];
  for (let i = 0; i < count; i++) {
    const [width, height, channels] = [20 + i, 30, i % 3 === 0 ? 3 : 1] as const;
    const data = Uint8Array.from({ length: width * height * channels }, (_, at) => (at * (i + 3)) % 251);
    names.push(`${i}.png`);
    writeFileSync(`${folder}/${i}.png`, await encodeNodePng({ width, height, channels, data }));
  }
  return names;
}

async function expected(name: string): Promise<ImageFacts> {
  const { width, height, channels } = await nodeDecoder.decode(readFileSync(`${folder}/${name}`), name);
  return { width, height, channels };
}

describe('nodeImageReader', () => {
  it('reads images in worker threads, in the order of the paths', async () => {
    const names = await writeImages(40);
    const progress: [number, number][] = [];
    const results = await nodeImageReader(folder, names, (...both) => progress.push(both));
    expect(results).toEqual(await Promise.all(names.map((name) => expected(name))));
    expect(progress.at(-1)).toEqual([40, 40]);
    expect(progress.map(([done]) => done)).toEqual(progress.map(([done]) => done).toSorted((a, b) => a - b));
  });

  it('reads one image in this thread', async () => {
    const [name = ''] = await writeImages(1);
    expect(await nodeImageReader(folder, [name])).toEqual([await expected(name)]);
  });

  it('gives nothing for no images', async () => {
    expect(await nodeImageReader(folder, [])).toEqual([]);
  });

  it('names images that are missing or damaged and reads the others', async () => {
    const names = await writeImages(2);
    writeFileSync(
      `${folder}/short.png`,
      (await encodeNodePng({ width: 1, height: 1, channels: 1, data: Uint8Array.of(5) })).subarray(0, 40),
    );
    mkdirSync(`${folder}/folder.png`, { recursive: true });
    const results = await nodeImageReader(folder, ['short.png', 'none.png', 'folder.png', ...names]);
    expect(results.slice(0, 3)).toEqual([
      { path: 'short.png', reason: 'truncated PNG: ends after 40 bytes' },
      { path: 'none.png', reason: `cannot read ${folder}/none.png: no such file or folder` },
      { path: 'folder.png', reason: `cannot read ${folder}/folder.png: it is a folder, expected a file` },
    ]);
    expect(results.slice(3).every((result) => 'channels' in result)).toBe(true);
  });
});

describe('runJobs', () => {
  const script = (text: string) => new URL(`data:text/javascript,${encodeURIComponent(text)}`);
  const answering = (expression: string) =>
    script(`import { parentPort } from 'node:worker_threads';
      parentPort.on('message', (job) => parentPort.postMessage(${expression}));`);
  const jobs = [1, 2, 3, 4, 5, 6, 7];

  it('does every job once', async () => {
    const results: number[] = [];
    await runJobs<number, number>(answering('{ result: job * job }'), jobs, (index, result) => {
      results[index] = result;
    });
    expect(results).toEqual([1, 4, 9, 16, 25, 36, 49]);
  });

  it.each([
    ['a refused job', answering(`job === 5 ? { refusal: 'disk full' } : { result: 0 }`), /^disk full$/],
    ['a failed job', answering(`job === 5 ? { error: new RangeError('broken') } : { result: 0 }`), /^broken$/],
    ['an error thrown in a worker', script(`throw new Error('at once')`), /at once/],
    ['a worker that ends', script(`process.exit(3)`), /^internal: a worker thread ended with code 3$/],
    ['a script that is not there', new URL('file:///none/worker.js'), /Cannot find module/],
  ])('rejects after %s', async (_, url, pattern) => {
    await expect(runJobs(url, jobs, () => {})).rejects.toThrow(pattern);
  });

  it('passes a refusal on as a UserError', async () => {
    await expect(runJobs(answering(`{ refusal: 'no' }`), jobs, () => {})).rejects.toThrow(UserError);
  });

  it('rejects where the result cannot be taken, and where it is aborted', async () => {
    const square = answering('{ result: job }');
    const refuse = () => {
      throw new Error('not wanted');
    };
    await expect(runJobs(square, jobs, refuse)).rejects.toThrow('not wanted');
    const control = new AbortController();
    let done = 0;
    const count = () => {
      done++;
      control.abort(new Error('stopped'));
    };
    await expect(runJobs(square, jobs, count, control.signal)).rejects.toThrow('stopped');
    expect(done).toBeLessThan(jobs.length);
  });

  it('leaves no thread that keeps the process alive', () => {
    const pool = new URL('../../dist/io/node-worker-pool.js', import.meta.url);
    const program = `import { runJobs } from '${pool}';
      const idle = new URL('data:text/javascript,' + encodeURIComponent(
        "import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => parentPort.postMessage({ error: new Error('no') }))"));
      try { await runJobs(idle, [1, 2, 3], () => {}); } catch (error) { console.log(error.message); }`;
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 20_000 });
    expect(output.toString()).toBe('no\n');
  });
});
