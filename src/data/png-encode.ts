import { InternalError } from '../base/errors.ts';
import { crc32, PNG_SIGNATURE } from './png-chunks.ts';
import { applyPaeth } from './png-filter.ts';

/** Compresses bytes to a zlib stream. */
export type Deflate = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** Pixels to be written, row by row: 1 channel is grey, 3 are RGB, 4 are RGB and alpha. */
export interface PngPixels {
  width: number;
  height: number;
  channels: 1 | 3 | 4;
  data: Uint8Array;
}

const COLOUR_TYPE = { 1: 0, 3: 2, 4: 6 } as const;

function chunk(type: string, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(body, 8);
  view.setUint32(8 + body.length, crc32(bytes.subarray(4, 8 + body.length)));
  return bytes;
}

/** Encodes 8-bit pixels [height, width, channels] as the bytes of a PNG file. */
export async function encodePng(image: PngPixels, deflate: Deflate): Promise<Uint8Array> {
  const { width, height, channels, data } = image;
  if (width < 1 || height < 1 || data.length !== width * height * channels) {
    throw new InternalError(`encodePng got ${data.length} bytes for ${width} x ${height} x ${channels} samples`);
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, COLOUR_TYPE[channels]], 8);
  const stream = await deflate(applyPaeth(data, height, width * channels, channels));
  const parts = [PNG_SIGNATURE, chunk('IHDR', header), chunk('IDAT', stream), chunk('IEND', new Uint8Array())];
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}
