import { inflateSync } from 'node:zlib';
import { PNG } from 'pngjs';
import { InternalError } from '../base/errors.ts';
import type { ImageDecoder } from '../data/image.ts';
import { imageDecoder } from './decode-image.ts';

/** Pixels to be written, row by row: 1 channel is grey, 3 are RGB, 4 are RGB and alpha. */
export interface PngPixels {
  width: number;
  height: number;
  channels: 1 | 3 | 4;
  data: Uint8Array;
}

const COLOUR_TYPE = { 1: 0, 3: 2, 4: 6 } as const;

const bufferOf = ({ buffer, byteOffset, byteLength }: Uint8Array) => Buffer.from(buffer, byteOffset, byteLength);

function inflatedLength(stream: Uint8Array, most: number): number {
  try {
    return inflateSync(stream, { maxOutputLength: most }).length;
  } catch (error) {
    const isLonger = error instanceof RangeError;
    throw isLonger ? new Error(`more than ${most} bytes of pixels`) : error;
  }
}

/** Decodes PNG and JPEG files in Node; see imageDecoder. */
export const nodeDecoder: ImageDecoder = imageDecoder({
  read: (file) => PNG.sync.read(bufferOf(file)),
  inflatedLength,
});

/** Encodes 8-bit pixels [height, width, channels] as the bytes of a PNG file with pngjs. */
export async function encodeNodePng(image: PngPixels): Promise<Uint8Array> {
  const { width, height, channels, data } = image;
  if (width < 1 || height < 1 || data.length !== width * height * channels) {
    throw new InternalError(`encodeNodePng got ${data.length} bytes for ${width} x ${height} x ${channels} samples`);
  }
  const colorType = COLOUR_TYPE[channels];
  const png = Object.assign(new PNG(), { width, height, data: bufferOf(data) });
  return PNG.sync.write(png, { colorType, inputColorType: colorType });
}
