import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { InternalError, UserError } from '../../src/base/errors.ts';
import { encodeNodePng, nodeDecoder } from '../../src/io/node-png.ts';
import { chunk, END, header, makePng, type PngLayout, SIGNATURE } from './png-files.ts';

type Layout = Omit<PngLayout, 'width' | 'height'>;

/** Samples of a made-up image, `values` different ones. */
function noise(count: number, values: number): number[] {
  return Array.from({ length: count }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 8) % values);
}

const decode = (bytes: Uint8Array) => nodeDecoder.decode(bytes, 'some.png');

async function reason(bytes: Uint8Array): Promise<string> {
  const error = await decode(bytes).then(
    (image) => `decoded as ${image.width} x ${image.height}`,
    (failure: unknown) => failure,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as Error).message;
}

/** The samples of an image as 8 bits, without alpha, a palette's indices looked up. */
function expected(values: readonly number[], { depth, colourType }: Layout, palette: Uint8Array): number[] {
  if (colourType === 3) return values.flatMap((index) => Array.from(palette.subarray(index * 3, index * 3 + 3)));
  const perPixel = { 0: 1, 2: 3, 4: 2, 6: 4 }[colourType] as number;
  const kept = colourType >= 4 ? values.filter((_, at) => at % perPixel !== perPixel - 1) : values;
  return kept.map((value) => Math.round((value * 255) / (2 ** depth - 1)));
}

describe('nodeDecoder gives the samples of', () => {
  const layouts: [string, Layout, number, 1 | 3][] = [
    ['grey, 1 bit', { depth: 1, colourType: 0 }, 1, 1],
    ['grey, 2 bits', { depth: 2, colourType: 0 }, 1, 1],
    ['grey, 4 bits', { depth: 4, colourType: 0 }, 1, 1],
    ['grey, 8 bits', { depth: 8, colourType: 0 }, 1, 1],
    ['grey, 16 bits', { depth: 16, colourType: 0 }, 1, 1],
    ['RGB, 8 bits', { depth: 8, colourType: 2 }, 3, 3],
    ['RGB, 16 bits', { depth: 16, colourType: 2 }, 3, 3],
    ['palette, 1 bit', { depth: 1, colourType: 3 }, 1, 3],
    ['palette, 2 bits', { depth: 2, colourType: 3 }, 1, 3],
    ['palette, 4 bits', { depth: 4, colourType: 3 }, 1, 3],
    ['palette, 8 bits', { depth: 8, colourType: 3 }, 1, 3],
    ['grey and alpha, 8 bits', { depth: 8, colourType: 4 }, 2, 1],
    ['grey and alpha, 16 bits', { depth: 16, colourType: 4 }, 2, 1],
    ['RGB and alpha, 8 bits', { depth: 8, colourType: 6 }, 4, 3],
    ['RGB and alpha, 16 bits', { depth: 16, colourType: 6 }, 4, 3],
  ];
  const sizes = [
    [19, 13],
    [1, 1],
    [3, 9],
    [5, 2],
  ] as const;

  it.each(layouts)('%s, plain and interlaced', async (_, layout, samples, channels) => {
    const palette = Uint8Array.from(noise(768, 256));
    for (const [width, height] of sizes) {
      for (const interlaced of [false, true]) {
        const values = noise(width * height * samples, 2 ** layout.depth);
        const between = layout.colourType === 3 ? [chunk('PLTE', palette)] : [];
        const bytes = makePng({ ...layout, width, height, interlaced }, values, between);
        const image = await decode(bytes);
        expect([image.width, image.height, image.channels]).toEqual([width, height, channels]);
        expect(Array.from(image.data)).toEqual(expected(values, layout, palette));
      }
    }
  });

  it('any size and any of the five row filters', async () => {
    const layout = fc.record({
      width: fc.integer({ min: 1, max: 20 }),
      height: fc.integer({ min: 1, max: 20 }),
      colorType: fc.constantFrom(0 as const, 2 as const),
      filterType: fc.integer({ min: 0, max: 4 }),
      seed: fc.integer({ min: 0, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(layout, async ({ width, height, colorType, filterType, seed }) => {
        const values = noise(width * height * (colorType + 1), 256).map((value) => value ^ seed);
        const png = Object.assign(new PNG(), { width, height, data: Buffer.from(values) });
        const bytes = PNG.sync.write(png, { filterType, colorType, inputColorType: colorType });
        expect(Array.from((await decode(bytes)).data)).toEqual(values);
      }),
      { seed: 7, numRuns: 100 },
    );
  });
});

describe('nodeDecoder', () => {
  it('scales 16 bits to 8 as round(v * 255 / 65535), for every v', async () => {
    const values = Array.from({ length: 65536 }, (_, v) => v);
    const { data } = await decode(makePng({ width: 256, height: 256, depth: 16, colourType: 0 }, values));
    expect(Array.from(data)).toEqual(values.map((v) => Math.round((v * 255) / 65535)));
  });

  it('drops alpha without blending, whatever its value', async () => {
    const bytes = makePng({ width: 2, height: 1, depth: 8, colourType: 6 }, [10, 20, 30, 0, 40, 50, 60, 128]);
    expect(Array.from((await decode(bytes)).data)).toEqual([10, 20, 30, 40, 50, 60]);
  });

  it('keeps the colour that a tRNS chunk calls transparent', async () => {
    const transparent = chunk('tRNS', Uint8Array.of(0, 77));
    const bytes = makePng({ width: 2, height: 1, depth: 8, colourType: 0 }, [77, 5], [transparent]);
    expect(Array.from((await decode(bytes)).data)).toEqual([77, 5]);
  });

  it('makes RGB that is grey everywhere grey, and nothing else', async () => {
    const layout = { width: 2, height: 1, depth: 8, colourType: 2 };
    expect(await decode(makePng(layout, [9, 9, 9, 7, 7, 7]))).toEqual({
      width: 2,
      height: 1,
      channels: 1,
      data: Uint8Array.of(9, 7),
    });
    expect((await decode(makePng(layout, [9, 9, 9, 7, 7, 8]))).channels).toBe(3);
    expect((await decode(makePng(layout, [9, 9, 9, 7, 8, 7]))).channels).toBe(3);
  });

  it('reads a stream cut into chunks anywhere, empty ones too', async () => {
    const layout = { width: 2, height: 1, depth: 8, colourType: 0 };
    const stream = deflateSync(Uint8Array.of(0, 3, 250));
    const pieces = [0, 0, 1, 5, 5, stream.length].map((end, i, ends) => stream.subarray(ends[i - 1] ?? 0, end));
    const data = pieces.map((piece) => chunk('IDAT', piece));
    const { data: pixels } = await decode(Buffer.concat([SIGNATURE, header(layout), ...data, END]));
    expect(Array.from(pixels)).toEqual([3, 250]);
  });

  it('passes over unknown ancillary chunks, their checksums and what follows the end', async () => {
    const layout = { width: 1, height: 1, depth: 8, colourType: 0 };
    const bytes = makePng(layout, [42], [chunk('teXt', Uint8Array.of(1, 2), 0)]);
    expect(Array.from((await decode(Buffer.concat([bytes, Buffer.from('tail')]))).data)).toEqual([42]);
  });
});

describe('nodeDecoder refuses, naming the file and the reason,', () => {
  const layout = { width: 40, height: 30, depth: 8, colourType: 0 };
  const good = makePng(layout, noise(1200, 256));
  const file = (...parts: Buffer[]) => Buffer.concat([SIGNATURE, ...parts, END]);
  const stream = (bytes: number) => chunk('IDAT', deflateSync(new Uint8Array(bytes)));
  const ones = chunk('IDAT', deflateSync(Uint8Array.from({ length: 1230 }, (_, at) => (at % 41 === 0 ? 0 : 1))));

  it('a file cut off anywhere', async () => {
    for (let length = 8; length < good.length; length++) {
      expect(await reason(good.subarray(0, length))).toBe(`some.png: truncated PNG: ends after ${length} bytes`);
    }
  });

  it('a stream of pixels that stops early, though the file is whole', async () => {
    const part = deflateSync(new Uint8Array(1230)).subarray(0, 8);
    expect(await reason(file(header(layout), chunk('IDAT', part)))).toBe(
      'some.png: damaged PNG: unexpected end of file',
    );
    expect(await reason(file(header(layout), stream(1229)))).toBe(
      'some.png: damaged PNG: 1229 bytes of pixels, expected 1230',
    );
  });

  it('a stream that inflates to more than the size says', async () => {
    expect(await reason(file(header(layout), stream(1231)))).toBe(
      'some.png: damaged PNG: more than 1230 bytes of pixels',
    );
    expect(await reason(file(header(layout), stream(50e6)))).toBe(
      'some.png: damaged PNG: more than 1230 bytes of pixels',
    );
  });

  it('any flipped bit that changes the pixels', async () => {
    const pixels = Array.from((await decode(good)).data);
    let refused = 0;
    for (let bit = 0; bit < good.length * 8; bit += 3) {
      const bytes = Buffer.from(good);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      const image = await decode(bytes).catch((error: unknown) => error);
      if (image instanceof Error) {
        expect(image).toBeInstanceOf(UserError);
        refused++;
      } else expect(Array.from((image as { data: Uint8Array }).data)).toEqual(pixels);
    }
    expect(refused).toBeGreaterThan((good.length * 8) / 4);
  });

  it.each([false, true])('a damaged stream whose chunk has the right checksum (interlaced: %s)', async (interlaced) => {
    const size = { ...layout, width: 13, height: 9, interlaced };
    const values = noise(117, 256);
    const [ihdr, idat] = [makePng(size, values).subarray(8, 33), makePng(size, values).subarray(33, -12)];
    const zlib = idat.subarray(8, -4);
    let refused = 0;
    for (let bit = 0; bit < zlib.length * 8; bit++) {
      const bytes = Buffer.from(zlib);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      const image = await decode(file(ihdr, chunk('IDAT', bytes))).catch((error: unknown) => error);
      if (image instanceof Error) {
        expect(image).toBeInstanceOf(UserError);
        refused++;
      } else expect(Array.from((image as { data: Uint8Array }).data)).toEqual(values);
    }
    expect(refused).toBeGreaterThan(zlib.length * 7);
    for (let length = 0; length < zlib.length; length++) {
      expect(await reason(file(ihdr, chunk('IDAT', zlib.subarray(0, length))))).toMatch(/^some.png: damaged PNG: /);
    }
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'empty file'],
    ['a GIF', Buffer.from('GIF89a'), 'not a PNG or JPEG file'],
    ['text', Buffer.from('version https://git-lfs'), 'not a PNG or JPEG file'],
    ['no width', file(header({ ...layout, width: 0 })), 'empty image of 0 x 30 pixels'],
    [
      'an absurd size',
      file(header({ ...layout, width: 4e9, height: 4e9 }), stream(10)),
      'declares 4000000000 x 4000000000 pixels, expected at most 100 megapixels and 65535 a side',
    ],
    [
      'countless rows',
      file(header({ ...layout, width: 1, height: 70000 }), stream(140000)),
      'declares 1 x 70000 pixels, expected at most 100 megapixels and 65535 a side',
    ],
    ['two headers', file(header(layout), header(layout), stream(1230)), 'damaged PNG: has two headers'],
    ['an empty stream', file(header(layout), chunk('IDAT', Buffer.alloc(0))), 'damaged PNG: unexpected end of file'],
    [
      'an index beyond the palette',
      file(header({ ...layout, colourType: 3 }), chunk('PLTE', new Uint8Array(3)), ones),
      'damaged PNG: index 1 not in palette',
    ],
    ['a depth of 3', file(header({ ...layout, depth: 3 })), 'damaged PNG: colour type 0 with 3 bits a sample'],
    ['colour type 5', file(header({ ...layout, colourType: 5 })), 'damaged PNG: colour type 5 with 8 bits a sample'],
    ['a short header', file(chunk('IHDR', new Uint8Array(5))), 'damaged PNG: its header has 5 bytes, expected 13'],
    [
      'a wrong checksum',
      file(chunk('IHDR', header(layout).subarray(8, 21), 1), stream(1230)),
      'damaged PNG: unrecognised content at end of stream',
    ],
    ['no header', file(stream(1230)), 'damaged PNG: does not begin with its header'],
    ['no pixels', file(header(layout)), 'damaged PNG: has no pixels'],
    ['no palette', file(header({ ...layout, colourType: 3 }), stream(1230)), 'damaged PNG: Expected palette not found'],
    ['an unknown chunk', file(header(layout), chunk('ABCD', new Uint8Array())), 'damaged PNG: unknown chunk "ABCD"'],
    [
      'an unknown filter',
      file(header(layout), chunk('IDAT', deflateSync(new Uint8Array(1230).fill(9)))),
      'damaged PNG: Unrecognised filter type - 9',
    ],
    [
      'a size that its few bytes cannot fill',
      file(header({ ...layout, width: 10000, height: 10000 }), stream(10)),
      'damaged PNG: 10 bytes of pixels, expected 100010000',
    ],
  ])('%s', async (_, bytes, expected) => {
    expect(await reason(bytes)).toBe(`some.png: ${expected}`);
  });

  it('a header with unknown methods', async () => {
    for (const at of [10, 11, 12]) {
      const body = Buffer.from(header(layout).subarray(8, 21));
      body[at] = 2;
      expect(await reason(file(chunk('IHDR', body), stream(1230)))).toBe(
        'some.png: damaged PNG: unknown compression, filter or interlace method',
      );
    }
  });
});

const pixels = fc
  .record({
    width: fc.integer({ min: 1, max: 24 }),
    height: fc.integer({ min: 1, max: 24 }),
    channels: fc.constantFrom(1 as const, 3 as const, 4 as const),
  })
  .chain((shape) => {
    const length = shape.width * shape.height * shape.channels;
    return fc.uint8Array({ minLength: length, maxLength: length }).map((data) => ({ ...shape, data }));
  });

describe('encodeNodePng', () => {
  it('writes files that pngjs reads back, sample for sample', async () => {
    await fc.assert(
      fc.asyncProperty(pixels, async (image) => {
        const png = PNG.sync.read(Buffer.from(await encodeNodePng(image)));
        const expected: number[] = [];
        for (let at = 0; at < image.data.length; at += image.channels) {
          const samples = Array.from(image.data.subarray(at, at + image.channels));
          const [red = 0, green = red, blue = red, alpha = 255] = samples;
          expected.push(red, green, blue, alpha);
        }
        expect([png.width, png.height]).toEqual([image.width, image.height]);
        expect(Array.from(png.data)).toEqual(expected);
      }),
      { seed: 11, numRuns: 100 },
    );
  });

  it('writes files that nodeDecoder reads back', async () => {
    const data = Uint8Array.of(1, 2, 3, 4, 5, 250);
    const file = await encodeNodePng({ width: 3, height: 2, channels: 1, data });
    expect(await nodeDecoder.decode(file, 'x')).toEqual({ width: 3, height: 2, channels: 1, data });
  });

  it('refuses data that does not fill the image', async () => {
    const image = { width: 2, height: 2, channels: 3, data: new Uint8Array(11) } as const;
    await expect(encodeNodePng(image)).rejects.toThrow(InternalError);
  });
});
