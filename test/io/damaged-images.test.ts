import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { ImageError } from '../../src/data/image.ts';
import { imageCache } from '../../src/io/node-image-cache.ts';
import { nodeDecoder } from '../../src/io/node-png.ts';
import { readImage } from '../../src/io/node-read-image.ts';
import { nodeImageReader } from '../../src/io/node-workers.ts';
import { chunk, END, header, makePng, SIGNATURE } from './png-files.ts';
import { temporaryFolder } from './temporary.ts';

/** Damaged files to try; MURAD_TEST_ROUNDS=10000 is the long form. */
const ROUNDS = Number(process.env.MURAD_TEST_ROUNDS ?? 1500);
/** More than any small image takes of this thread, in microseconds. */
const MOST = 3e6;

const random = new Random(19);
const pick = <T>(values: readonly T[]): T => values[random.integer(values.length)] as T;

const originals = [
  { depth: 8, colourType: 0, samples: 1 },
  { depth: 16, colourType: 0, samples: 1 },
  { depth: 1, colourType: 0, samples: 1 },
  { depth: 8, colourType: 2, samples: 3 },
  { depth: 8, colourType: 3, samples: 1 },
  { depth: 8, colourType: 6, samples: 4 },
].flatMap(({ samples, ...layout }) =>
  [false, true].map((interlaced) => {
    const [width, height] = [23, 17];
    const palette = layout.colourType === 3 ? [chunk('PLTE', new Uint8Array(768).fill(7))] : [];
    const values = Array.from({ length: width * height * samples }, () => random.integer(2 ** layout.depth));
    return makePng({ ...layout, width, height, interlaced }, values, palette);
  }),
);

/** Where the chunks of a file begin, and their lengths. */
function chunksOf(bytes: Buffer): { at: number; length: number }[] {
  const found: { at: number; length: number }[] = [];
  for (let at = 8; at + 12 <= bytes.length; at += 12 + (found.at(-1)?.length ?? 0)) {
    found.push({ at, length: bytes.readUInt32BE(at) });
  }
  return found;
}

const someBytes = (count: number): Buffer => Buffer.from(Array.from({ length: count }, () => random.integer(256)));

/** Gives a chunk the checksum of what is in it, so that the damage gets past it. */
function mend(bytes: Buffer, { at, length }: { at: number; length: number }): void {
  bytes.writeUInt32BE(crc32(bytes.subarray(at + 4, at + 8 + length)), at + 8 + length);
}

const damages: Record<string, (bytes: Buffer) => Buffer> = {
  'bits flipped': (bytes) => {
    for (let flips = random.integer(8); flips >= 0; flips--) {
      const at = random.integer(bytes.length);
      bytes[at] = (bytes[at] as number) ^ (1 << random.integer(8));
    }
    return bytes;
  },
  'cut short': (bytes) => bytes.subarray(0, random.integer(bytes.length)),
  'a range overwritten': (bytes) => {
    someBytes(1 + random.integer(40)).copy(bytes, random.integer(bytes.length));
    return bytes;
  },
  'a range removed': (bytes) => {
    const at = random.integer(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.integer(30))]);
  },
  'bytes put in': (bytes) => {
    const at = random.integer(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), someBytes(1 + random.integer(30)), bytes.subarray(at)]);
  },
  'a chunk damaged under the right checksum': (bytes) => {
    const one = pick(chunksOf(bytes).filter(({ length }) => length > 0));
    bytes[one.at + 8 + random.integer(one.length)] = random.integer(256);
    mend(bytes, one);
    return bytes;
  },
  'a header of other sizes': (bytes) => {
    const [one] = chunksOf(bytes);
    if (!one) return bytes;
    bytes.writeUInt32BE(random.chance(0.5) ? random.integer(64) : random.integer(2 ** 32), one.at + 8 + pick([0, 4]));
    mend(bytes, one);
    return bytes;
  },
  'a stream of other pixels': (bytes) => {
    const [ihdr, ...rest] = chunksOf(bytes);
    const before = rest.filter(({ at }) => bytes.toString('latin1', at + 4, at + 8) === 'PLTE');
    const kept = [ihdr, ...before].map((one) =>
      one ? bytes.subarray(one.at, one.at + 12 + one.length) : Buffer.alloc(0),
    );
    return Buffer.concat([SIGNATURE, ...kept, chunk('IDAT', deflateSync(someBytes(random.integer(3000)))), END]);
  },
  'chunks in another order': (bytes) => {
    const whole = chunksOf(bytes).map(({ at, length }) => bytes.subarray(at, at + 12 + length));
    const order = random.permutation(whole.length);
    return Buffer.concat([SIGNATURE, ...Array.from(order, (index) => whole[index] as Buffer)]);
  },
};

describe('nodeDecoder', () => {
  it(`decodes or refuses ${ROUNDS} damaged files, and neither fails otherwise nor hangs`, async () => {
    let decoded = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const kind = pick(Object.keys(damages));
      const bytes = damages[kind]?.(Buffer.from(pick(originals))) ?? Buffer.alloc(0);
      const before = process.cpuUsage();
      const result = await nodeDecoder.decode(bytes, 'some.png').catch((error: unknown) => error);
      expect(process.cpuUsage(before).user, kind).toBeLessThan(MOST);
      if (result instanceof ImageError) continue;
      expect(result, `round ${round}: ${kind}`).toMatchObject({ channels: expect.any(Number) });
      const { width, height, channels, data } = result as Awaited<ReturnType<typeof nodeDecoder.decode>>;
      expect(data.length, kind).toBe(width * height * channels);
      decoded++;
    }
    expect(decoded).toBeGreaterThan(0);
    expect(decoded).toBeLessThan(ROUNDS / 2);
  }, 600_000);
});

describe('the images of a data set', () => {
  const folder = temporaryFolder();
  const good = makePng({ width: 3, height: 2, depth: 8, colourType: 0 }, [1, 2, 3, 4, 5, 6]);
  const facts = { width: 3, height: 2, channels: 1 };
  const reason = async (path: string): Promise<string> => {
    const result = await readImage(folder, path);
    return 'reason' in result ? result.reason.replaceAll(folder, 'DIR') : 'no failure';
  };

  it('may be links, and lie in linked folders, inside the data set or outside of it', async () => {
    const outside = join(temporaryFolder(), 'elsewhere');
    mkdirSync(outside);
    writeFileSync(join(outside, 'image.png'), good);
    symlinkSync(outside, join(folder, 'linked'));
    symlinkSync(join(outside, 'image.png'), join(folder, 'link.png'));
    symlinkSync(folder, join(outside, 'set'));
    expect(await readImage(folder, 'linked/image.png')).toEqual(facts);
    expect(await readImage(folder, 'link.png')).toEqual(facts);
    expect(await readImage(join(outside, 'set'), 'link.png')).toEqual(facts);
  });

  it('are refused where a link leads nowhere or to itself', async () => {
    symlinkSync(join(folder, 'nothing'), join(folder, 'dangling.png'));
    symlinkSync(join(folder, 'loop.png'), join(folder, 'loop.png'));
    expect(await reason('dangling.png')).toBe('cannot read DIR/dangling.png: no such file or folder');
    expect(await reason('loop.png')).toBe('cannot read DIR/loop.png: too many links, or a loop of them');
  });

  it.skipIf(process.platform === 'win32')(
    'are refused where they are sockets, pipes or devices, which may never end',
    async () => {
      const server = createServer().listen(join(folder, 'socket.png'));
      await new Promise((resolve) => server.on('listening', resolve));
      symlinkSync('/dev/zero', join(folder, 'zeros.png'));
      expect(await reason('socket.png')).toBe('cannot read DIR/socket.png: it is no regular file');
      expect(await reason('zeros.png')).toBe('cannot read DIR/zeros.png: it is no regular file');
      expect(await nodeImageReader(folder, ['socket.png', 'zeros.png'])).toHaveLength(2);
      server.close();
    },
  );

  it('are refused where they are longer than any radiograph', async () => {
    writeFileSync(join(folder, 'long.png'), good);
    truncateSync(join(folder, 'long.png'), 2 ** 30 + 1);
    expect(await reason('long.png')).toBe(
      'cannot read DIR/long.png: it has 1073741825 bytes, expected at most 1073741824',
    );
    rmSync(join(folder, 'long.png'));
  });

  it('are refused where they declare a huge size, without the memory for it', async () => {
    const declares = (width: number, height: number) =>
      Buffer.concat([
        SIGNATURE,
        header({ width, height, depth: 8, colourType: 6 }),
        chunk('IDAT', Buffer.alloc(9)),
        END,
      ]);
    writeFileSync(join(folder, 'huge.png'), declares(2 ** 31 - 1, 2 ** 31 - 1));
    writeFileSync(join(folder, 'large.png'), declares(10_000, 10_000));
    const before = process.memoryUsage().rss;
    expect(await reason('huge.png')).toMatch(
      /^declares 2147483647 x 2147483647 pixels, expected at most 100 megapixels/,
    );
    expect(await reason('large.png')).toMatch(/^damaged PNG: /);
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
  });

  it('cost no more than themselves in a cache', async () => {
    writeFileSync(join(folder, 'good.png'), good);
    const paths = ['good.png', 'zeros.png', 'huge.png', 'loop.png', 'link.png'];
    const load = imageCache({ folder: join(folder, 'cache'), note: () => {}, shardImages: 2 });
    const { images, pixels } = await load(folder, paths, 2);
    expect(images.map((image) => 'channels' in image)).toEqual([true, false, false, false, true]);
    await pixels.close();
  });
});
