import { spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { isFailed, type LoadedImages } from '../../src/data/packed.ts';
import { resizeSquare } from '../../src/data/resize.ts';
import { type ImageCacheOptions, imageCache } from '../../src/io/node-image-cache.ts';
import { ImageShard } from '../../src/io/node-image-shard.ts';
import { encodeNodePng, nodeDecoder } from '../../src/io/node-png.ts';
import { temporaryFolder } from './temporary.ts';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return { ...real, statfs: vi.fn(real.statfs) };
});

const root = temporaryFolder();
const data = join(root, 'set');
const cache = join(root, 'cache');
const SIZE = 16;
const COUNT = 37;
const names = Array.from({ length: COUNT }, (_, index) => `image${index}.png`);
let notes: string[] = [];

/** A made-up image, every seventh in colour; `variant` draws another one of the same size. */
async function writeImage(index: number, variant = 0): Promise<void> {
  const [width, height, channels] = [20 + index, 30, index % 7 === 0 ? 3 : 1] as const;
  const of = (at: number) => (at * (index + 3 + variant)) % 251;
  const image = {
    width,
    height,
    channels,
    data: Uint8Array.from({ length: width * height * channels }, (_, at) => of(at)),
  };
  writeFileSync(join(data, names[index] as string), await encodeNodePng(image));
}

beforeEach(async () => {
  for (const folder of [data, cache]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(data);
  for (let index = 0; index < COUNT; index++) await writeImage(index);
  notes = [];
});
afterEach(() => vi.restoreAllMocks());

const opened: LoadedImages[] = [];
afterEach(async () => {
  for (const { pixels } of opened.splice(0)) await pixels.close();
});

/** Loads the images; `first` is how many needed no look at their files. */
async function load(options: Partial<ImageCacheOptions> = {}, paths: readonly string[] = names) {
  const done: number[] = [];
  const own = { folder: cache, shardImages: 8, note: (line: string) => notes.push(line.replaceAll(root, 'DIR')) };
  const loaded = await imageCache({ ...own, ...options })(data, paths, SIZE, (images, total) => {
    expect(total).toBe(paths.length);
    done.push(images);
  });
  opened.push(loaded);
  expect(done).toEqual(done.toSorted((a, b) => a - b));
  expect(done.at(-1)).toBe(paths.length);
  return { ...loaded, first: done[0] };
}

/** The planes of every image that can be read, in one reversed batch. */
async function planesOf({ images, pixels }: LoadedImages): Promise<number[][]> {
  const there = [...images.keys()].filter((at) => !isFailed(images[at] ?? { path: '', reason: '' })).reverse();
  const bytes = there.map(
    (at) => ('channels' in (images[at] ?? {}) ? (images[at] as { channels: number }).channels : 0) * SIZE ** 2,
  );
  const offsets = Uint32Array.from(bytes, (_, slot) => bytes.slice(0, slot).reduce((sum, value) => sum + value, 0));
  const target = new Uint8Array(bytes.reduce((sum, value) => sum + value, 0));
  await pixels.read(Uint32Array.from(there), target, offsets);
  return there
    .map((_, slot) => Array.from(target.subarray(offsets[slot], (offsets[slot] ?? 0) + (bytes[slot] ?? 0))))
    .reverse();
}

const decoded = (paths: readonly string[] = names): Promise<number[][]> =>
  Promise.all(
    paths.map(async (name) =>
      Array.from(resizeSquare(await nodeDecoder.decode(readFileSync(join(data, name)), name), SIZE)),
    ),
  );

/** The files of the cache and their bytes. */
function contents(folder = cache): Record<string, string> {
  const [own = ''] = existsSync(folder) ? readdirSync(folder) : [];
  const files = readdirSync(join(folder, own)).sort();
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, own, name)).toString('base64')]));
}

const shard = (number: number): string => {
  const [own = ''] = readdirSync(cache);
  return join(cache, own, readdirSync(join(cache, own)).sort()[number] ?? '');
};

/** What a cache that is built at once holds. */
async function built(): Promise<Record<string, string>> {
  const folder = join(root, 'fresh');
  rmSync(folder, { recursive: true, force: true });
  await load({ folder });
  return contents(folder);
}

describe('imageCache', () => {
  it('gives what decoding and resizing give: as it is made, from the disk, and in memory', async () => {
    const expected = await decoded();
    const cold = await load();
    expect(cold.first).toBe(0);
    expect(cold.images).toEqual(names.map((_, index) => ({ channels: index % 7 === 0 ? 3 : 1 })));
    expect(await planesOf(cold)).toEqual(expected);
    expect(Object.keys(contents())).toEqual(
      [0, 1, 2, 3, 4].map((n) => expect.stringMatching(`^000${n}-[0-9a-f]{16}\\.images$`)),
    );
    const warm = await load();
    expect([warm.first, warm.images]).toEqual([COUNT, cold.images]);
    expect(await planesOf(warm)).toEqual(expected);
    writeFileSync(join(root, 'file'), '');
    const inMemory = await load({ folder: join(root, 'file') });
    expect([inMemory.first, inMemory.images]).toEqual([0, cold.images]);
    expect(await planesOf(inMemory)).toEqual(expected);
    expect(notes).toEqual([
      expect.stringMatching(
        /^the decoded images stay in memory: cannot write to the folder DIR\/file\/set-16px-[0-9a-f]{16}: a part of the path is a file, expected a folder$/,
      ),
    ]);
  });

  it('does not look into files of the same size and time of change', async () => {
    const file = join(data, 'image3.png');
    utimesSync(file, 1e9, 1e9);
    const before = await planesOf(await load());
    writeFileSync(file, new Uint8Array(statSync(file).size));
    utimesSync(file, 1e9, 1e9);
    const warm = await load();
    expect(warm.first).toBe(COUNT);
    expect(await planesOf(warm)).toEqual(before);
  });

  it('decodes changed files anew, and no others', async () => {
    await load();
    await writeImage(2, 5);
    await writeImage(21, 5);
    utimesSync(join(data, 'image2.png'), 1e9, 1e9);
    utimesSync(join(data, 'image21.png'), 1e9, 1e9);
    const decode = vi.spyOn(ImageShard, 'write');
    const changed = await load();
    expect(changed.first).toBe(COUNT - 2);
    expect(decode).toHaveBeenCalledTimes(2);
    expect(await planesOf(changed)).toEqual(await decoded());
    expect(contents()).toEqual(await built());
  });

  it('keeps what a file gave where only its time of change is another one', async () => {
    await load();
    utimesSync(join(data, 'image5.png'), 1e9, 1e9);
    expect((await load()).first).toBe(COUNT - 1);
    const after = await load();
    expect(after.first).toBe(COUNT);
    expect(await planesOf(after)).toEqual(await decoded());
    expect(contents()).toEqual(await built());
  });

  it('remembers what cannot be decoded, and tries again what could not be read', async () => {
    truncateSync(join(data, 'image1.png'), 40);
    rmSync(join(data, 'image9.png'));
    const failed = [
      { path: 'image1.png', reason: 'truncated PNG: ends after 40 bytes' },
      { path: 'image9.png', reason: expect.stringMatching(/image9.png: no such file or folder$/) },
    ];
    const others = names.filter((_, index) => index !== 1 && index !== 9);
    for (const first of [0, COUNT - 1]) {
      const some = await load();
      expect(some.first).toBe(first);
      expect(some.images.filter(isFailed)).toEqual(failed);
      expect(await planesOf(some)).toEqual(await decoded(others));
    }
    await writeImage(1);
    await writeImage(9);
    const all = await load();
    expect(await planesOf(all)).toEqual(await decoded());
    expect(contents()).toEqual(await built());
  });

  it('shares the shards of a shorter list, and takes those of another list for what they are', async () => {
    await load();
    expect((await load({}, names.slice(0, 19))).first).toBe(16);
    const reversed = names.toReversed();
    expect(await planesOf(await load({}, reversed))).toEqual(await decoded(reversed));
  });

  it('builds shards anew that are cut short, damaged in their header or of another kind', async () => {
    await load();
    const whole = contents();
    truncateSync(shard(0), statSync(shard(0)).size - 1);
    const bytes = readFileSync(shard(1));
    bytes[40] = (bytes[40] ?? 0) ^ 1;
    writeFileSync(shard(1), bytes);
    writeFileSync(shard(2), 'something else');
    copyFileSync(shard(4), shard(3));
    const again = await load();
    expect(again.first).toBe(5);
    expect(await planesOf(again)).toEqual(await decoded());
    expect(contents()).toEqual(whole);
  });

  it('never gives an image whose stored bytes have changed: says so once, and builds it anew', async () => {
    await load();
    const bytes = readFileSync(shard(1));
    const last = bytes.length - 1;
    bytes[last] = (bytes[last] ?? 0) ^ 4;
    writeFileSync(shard(1), bytes);
    const warm = await load();
    expect(warm.first).toBe(COUNT);
    const error = await planesOf(warm).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(String(error)).toMatch(
      /0001-[0-9a-f]{16}\.images is damaged and now removed: start again, and its images are decoded anew$/,
    );
    const again = await load();
    expect(again.first).toBe(COUNT - 8);
    expect(await planesOf(again)).toEqual(await decoded());
  });

  it('keeps in memory what a full disk does not take, and leaves no broken cache', async () => {
    const whole = await built();
    const write = ImageShard.write;
    let writes = 0;
    vi.spyOn(ImageShard, 'write').mockImplementation(async (...given) => {
      if (++writes > 2) throw new UserError('cannot write it: no space left on the device');
      await write(...given);
    });
    expect(await planesOf(await load())).toEqual(await decoded());
    expect(writes).toBe(3);
    expect(notes).toEqual([
      'the decoded images that are left stay in memory: cannot write it: no space left on the device',
    ]);
    expect(Object.keys(contents())).toHaveLength(2);
    expect(whole).toMatchObject(contents());
    vi.restoreAllMocks();
    expect((await load()).first).toBe(16);
    expect(contents()).toEqual(whole);
  });

  it('says how much room it needs before it writes', async () => {
    const { statfs } = await import('node:fs/promises');
    vi.mocked(statfs).mockResolvedValueOnce({ bavail: 3, bsize: 1000 } as never);
    expect(await planesOf(await load())).toEqual(await decoded());
    expect(notes).toEqual([
      expect.stringMatching(
        /^the decoded images stay in memory: DIR\/cache\/set-16px-[0-9a-f]{16} has 0\.0000030 GB free, and they take 0\.0000095 GB; name a folder on a larger disk with --cache$/,
      ),
    ]);
    expect(contents()).toEqual({});
  });

  it('writes where it cannot be told how much room there is', async () => {
    const { statfs } = await import('node:fs/promises');
    vi.mocked(statfs).mockRejectedValueOnce(Object.assign(new Error('no'), { code: 'ENOSYS' }));
    expect(await planesOf(await load())).toEqual(await decoded());
    expect(notes).toEqual([]);
    expect(Object.keys(contents()).length).toBeGreaterThan(0);
  });

  it('removes what a killed process was writing', async () => {
    await load();
    const whole = contents();
    writeFileSync(`${shard(0)}.123-4.tmp`, 'a part');
    rmSync(shard(1));
    await load();
    expect(contents()).toEqual(whole);
  });

  it('stops where it is told to, and leaves no lock', async () => {
    const control = new AbortController();
    const stop = imageCache({ folder: cache, shardImages: 8, note: () => {}, signal: control.signal });
    const stopped = stop(data, names, SIZE, (done) => {
      if (done > 0) control.abort(new UserError('interrupted'));
      control.signal.throwIfAborted();
    });
    await expect(stopped).rejects.toThrow('interrupted');
    expect(Object.keys(contents()).filter((name) => !name.endsWith('.images'))).toEqual([]);
    expect(await planesOf(await load())).toEqual(await decoded());
  });

  it('is built by one of two processes, for which the other one waits', async () => {
    const module = new URL('../../dist/io/node-image-cache.js', import.meta.url);
    const program = `import { imageCache } from '${module}';
      const load = imageCache({ folder: '${cache}', shardImages: 8, note: (line) => console.log(line) });
      const { pixels } = await load('${data}', ${JSON.stringify(names)}, ${SIZE}, (done) => console.log(done));
      await pixels.close();`;
    const script = join(root, 'build.mjs');
    writeFileSync(script, program);
    const run = () =>
      new Promise<string[]>((resolve, reject) => {
        const child = spawn(process.execPath, [script], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let text = '';
        child.stdout.on('data', (some: Buffer) => {
          text += some;
        });
        child.on('error', reject);
        child.on('close', (code) =>
          code === 0 ? resolve(text.trim().split('\n')) : reject(new Error(`code ${code}`)),
        );
      });
    const both = (await Promise.all([run(), run()])).toSorted((a, b) => b.length - a.length);
    expect(both[0]?.[0]).toBe('0');
    expect(both[0]?.length).toBe(6);
    expect(both[1]?.at(-1)).toBe(String(COUNT));
    expect(both[1]?.length).toBeLessThanOrEqual(2);
    expect(contents()).toEqual(await built());
  });
});

describe('bench/cache-kills.mjs', () => {
  it('finds the same bytes after every kill', async () => {
    const script = fileURLToPath(new URL('../../bench/cache-kills.mjs', import.meta.url));
    const child = spawn(process.execPath, [script, '--rounds', '5', '--studies', '24', '--size', '48'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (some: Buffer) => {
        text += some;
      });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect({ code, text }).toEqual({
      code: 0,
      text: expect.stringMatching(/\n5 kills, .*: the same bytes every time\n$/),
    });
  });
});
