import { deflateSync, inflateSync } from 'node:zlib';
import type { DecodedImage, ImageDecoder } from '../data/image.ts';
import { decodePng } from '../data/png.ts';
import { encodePng, type PngPixels } from '../data/png-encode.ts';

/** One byte of room beyond the expected length lets zlib finish in its first chunk, and shows a stream that goes on. */
function inflate(stream: Uint8Array, length: number): Uint8Array {
  const room = Math.max(64, length + 1);
  try {
    return inflateSync(stream, { chunkSize: room, maxOutputLength: room });
  } catch (error) {
    const isLonger = error instanceof RangeError;
    throw isLonger ? new Error(`more than ${length} bytes of pixels`) : error;
  }
}

/** Decodes PNG files with Node's zlib. */
export const nodeDecoder: ImageDecoder = {
  decode: (bytes: Uint8Array, name: string): Promise<DecodedImage> => decodePng(bytes, name, inflate),
};

/** Encodes grey, RGB or RGBA pixels as a PNG file with Node's zlib. */
export function encodeNodePng(image: PngPixels): Promise<Uint8Array> {
  return encodePng(image, (bytes) => deflateSync(bytes));
}
