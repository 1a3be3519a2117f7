import fc from 'fast-check';
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { InternalError } from '../../src/base/errors.ts';
import { encodeNodePng, nodeDecoder } from '../../src/io/node-png.ts';

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

describe('encodePng', () => {
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

  it('writes files that decodePng reads back', async () => {
    const data = Uint8Array.of(1, 2, 3, 4, 5, 250);
    const file = await encodeNodePng({ width: 3, height: 2, channels: 1, data });
    expect(await nodeDecoder.decode(file, 'x')).toEqual({ width: 3, height: 2, channels: 1, data });
  });

  it('refuses data that does not fill the image', async () => {
    const image = { width: 2, height: 2, channels: 3, data: new Uint8Array(11) } as const;
    await expect(encodeNodePng(image)).rejects.toThrow(InternalError);
  });
});
