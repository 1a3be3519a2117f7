import { crc32, deflateSync } from 'node:zlib';

/** A PNG chunk; `crc` other than the right one makes a damaged one. */
export function chunk(type: string, body: Uint8Array, crc?: number): Buffer {
  const bytes = Buffer.alloc(12 + body.length);
  bytes.writeUInt32BE(body.length, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(body, 8);
  bytes.writeUInt32BE(crc ?? crc32(bytes.subarray(4, 8 + body.length)), 8 + body.length);
  return bytes;
}

export interface PngLayout {
  width: number;
  height: number;
  depth: number;
  colourType: number;
  interlaced?: boolean;
}

export function header({ width, height, depth, colourType, interlaced }: PngLayout): Buffer {
  const body = Buffer.alloc(13);
  body.writeUInt32BE(width, 0);
  body.writeUInt32BE(height, 4);
  body.set([depth, colourType, 0, 0, interlaced ? 1 : 0], 8);
  return chunk('IHDR', body);
}

export const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
export const END = chunk('IEND', new Uint8Array());

const SAMPLES: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** The pass, 0 to 6, that each pixel of an 8 x 8 block belongs to: the drawing of PNG's specification, 8.2. */
const PASSES = [
  [0, 5, 3, 5, 1, 5, 3, 5],
  [6, 6, 6, 6, 6, 6, 6, 6],
  [4, 5, 4, 5, 4, 5, 4, 5],
  [6, 6, 6, 6, 6, 6, 6, 6],
  [2, 5, 3, 5, 2, 5, 3, 5],
  [6, 6, 6, 6, 6, 6, 6, 6],
  [4, 5, 4, 5, 4, 5, 4, 5],
  [6, 6, 6, 6, 6, 6, 6, 6],
];

/** The rows of an image of unfiltered samples, packed, each after filter 0; by pass where it is interlaced. */
function rows(layout: PngLayout, samples: readonly number[]): number[] {
  const { width, height, depth, colourType, interlaced } = layout;
  const perPixel = SAMPLES[colourType] as number;
  const out: number[] = [];
  for (let pass = 0; pass < (interlaced ? 7 : 1); pass++) {
    for (let y = 0; y < height; y++) {
      let bits = '';
      for (let x = 0; x < width; x++) {
        if (interlaced && PASSES[y % 8]?.[x % 8] !== pass) continue;
        for (let s = 0; s < perPixel; s++) {
          bits += (samples[(y * width + x) * perPixel + s] as number).toString(2).padStart(depth, '0');
        }
      }
      if (bits === '') continue;
      out.push(0, ...(bits.match(/.{1,8}/g) as string[]).map((byte) => Number.parseInt(byte.padEnd(8, '0'), 2)));
    }
  }
  return out;
}

/** A PNG file of the samples [height, width, samples], its stream cut into IDAT chunks of 1,000 bytes. */
export function makePng(layout: PngLayout, samples: readonly number[], between: readonly Buffer[] = []): Buffer {
  const stream = deflateSync(Uint8Array.from(rows(layout, samples)));
  const data: Buffer[] = [];
  for (let at = 0; at < stream.length; at += 1000) data.push(chunk('IDAT', stream.subarray(at, at + 1000)));
  return Buffer.concat([SIGNATURE, header(layout), ...between, ...data, END]);
}
