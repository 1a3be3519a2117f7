import { encode } from 'jpeg-js';
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../src/data/image.ts';
import { browserDecoder } from '../../src/io/browser-images.ts';
import { nodeDecoder } from '../../src/io/node-png.ts';
import { chunk, END, header, makePng, SIGNATURE } from './png-files.ts';

type Colour = (x: number, y: number) => readonly [number, number, number];

/** A JPEG file of smooth colours. */
function makeJpeg(width: number, height: number, colour: Colour, quality = 100): Uint8Array {
  const data = Buffer.alloc(4 * width * height, 255);
  for (let at = 0; at < width * height; at++) data.set(colour(at % width, Math.floor(at / width)), 4 * at);
  return encode({ width, height, data }, quality).data;
}

/** Of a JPEG file without quantisation: rounding of YCbCr, of the cosine transform and back. */
const ROUNDING = 3;

const decoders = [
  ['nodeDecoder', nodeDecoder],
  ['browserDecoder', browserDecoder],
] as const;

describe.each(decoders)('%s', (_, decoder) => {
  it.each([
    [16, 8],
    [19, 13],
    [1, 1],
  ])('gives the samples of a JPEG file of %i x %i pixels', async (width, height) => {
    const colour: Colour = (x, y) => [20 + 8 * x, 30 + 9 * y, 200 - 4 * x - 5 * y];
    const image = await decoder.decode(makeJpeg(width, height, colour), 'some.jpg');
    expect([image.width, image.height, image.channels]).toEqual([width, height, 3]);
    image.data.forEach((value, at) => {
      const pixel = Math.floor(at / 3);
      const expected = colour(pixel % width, Math.floor(pixel / width))[at % 3] as number;
      expect(Math.abs(value - expected)).toBeLessThanOrEqual(ROUNDING);
    });
  });

  it('makes a JPEG file that is grey everywhere grey', async () => {
    const image = await decoder.decode(
      makeJpeg(9, 7, (x) => [25 * x, 25 * x, 25 * x]),
      'some.jpg',
    );
    expect([image.channels, image.data.length]).toEqual([1, 63]);
  });

  const whole = makeJpeg(40, 30, (x, y) => [6 * x, 8 * y, 100], 80);
  it.each([
    ['cut off within its header', whole.subarray(0, 150)],
    ['cut off within its pixels', whole.subarray(0, whole.length - 200)],
    ['of two bytes and a marker', Uint8Array.of(0xff, 0xd8, 0xff)],
  ])('refuses a JPEG file %s', async (_name, bytes) => {
    const error = await decoder.decode(bytes, 'some.jpg').catch((one: unknown) => one);
    expect(error).toBeInstanceOf(ImageError);
    expect((error as Error).message).toMatch(/^some\.jpg: damaged JPEG: ./);
  });

  it('refuses a JPEG file that declares more than 100 megapixels', async () => {
    const bytes = Uint8Array.from(whole);
    const frame = bytes.findIndex((byte, at) => byte === 0xff && bytes[at + 1] === 0xc0);
    bytes.set([0xff, 0xff, 0xff, 0xff], frame + 5);
    await expect(decoder.decode(bytes, 'some.jpg')).rejects.toThrow(
      'some.jpg: declares more pixels than 100 megapixels',
    );
  });
});

describe('browserDecoder gives what nodeDecoder gives of', () => {
  const noise = (count: number, values: number) =>
    Array.from({ length: count }, (_, at) => (Math.imul(at + 1, 2654435761) >>> 8) % values);

  it.each([
    [1, 0, 1],
    [16, 0, 1],
    [8, 2, 3],
    [16, 2, 3],
    [8, 4, 2],
    [8, 6, 4],
  ])('PNG files of %i bits and colour type %i, plain and interlaced', async (depth, colourType, samples) => {
    for (const interlaced of [false, true]) {
      const values = noise(19 * 13 * samples, 2 ** depth);
      const bytes = makePng({ width: 19, height: 13, depth, colourType, interlaced }, values);
      expect(await browserDecoder.decode(bytes, 'some.png')).toEqual(await nodeDecoder.decode(bytes, 'some.png'));
    }
  });

  it('PNG files that are damaged: nothing', async () => {
    const layout = { width: 40, height: 30, depth: 8, colourType: 0 };
    const good = makePng(layout, noise(1200, 256));
    const broken = [
      good.subarray(0, 300),
      Buffer.concat([SIGNATURE, header(layout), chunk('IDAT', Buffer.from('no zlib stream')), END]),
      makePng({ ...layout, height: 29 }, noise(40 * 29, 256)).fill(30, 23, 24),
    ];
    for (const bytes of broken) {
      await expect(browserDecoder.decode(bytes, 'some.png')).rejects.toThrow(ImageError);
      await expect(nodeDecoder.decode(bytes, 'some.png')).rejects.toThrow(ImageError);
    }
  });
});
