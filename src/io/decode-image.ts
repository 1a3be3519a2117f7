import { decode as decodeJpegFile } from 'jpeg-js';
import type { PNGWithMetadata } from 'pngjs';
import { collapseGrey, type DecodedImage, type ImageDecoder, ImageError } from '../data/image.ts';
import { type PngFile, parsePng } from '../data/png.ts';

/** What the platform lends the decoder: pngjs and an inflater. */
export interface PngLibrary {
  /** pngjs's PNG.sync.read of a whole file. */
  read(file: Uint8Array): PNGWithMetadata;
  /** Number of bytes that a zlib stream inflates to; throws where it is damaged or inflates to more than `most`. */
  inflatedLength(stream: Uint8Array, most: number): number | Promise<number>;
}

const JPEG_SIGNATURE = Uint8Array.of(0xff, 0xd8, 0xff);

/** More than any radiograph has; see data/png.ts. */
const JPEG_LIMITS = { maxResolutionInMP: 100, maxMemoryUsageInMB: 4096 };

const isJpeg = (bytes: Uint8Array): boolean => JPEG_SIGNATURE.every((byte, at) => bytes[at] === byte);

function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let end = 0;
  for (const part of parts) {
    whole.set(part, end);
    end += part.length;
  }
  return whole;
}

/**
 * Throws where the stream is damaged or has another length than the header implies. PNG.sync.read of pngjs 7 must not
 * be trusted with that: where zlib stops early it takes the rest of the image from uninitialised memory.
 */
async function checkStream({ stream, streamBytes, isInterlaced }: PngFile, library: PngLibrary): Promise<void> {
  const bytes = await library.inflatedLength(concatenate(stream), streamBytes);
  if (!isInterlaced && bytes < streamBytes) throw new Error(`${bytes} bytes of pixels, expected ${streamBytes}`);
}

/** Keeps the first `channels` of every pixel's samples. */
function keepChannels(data: Uint8Array, samples: 3 | 4, { width, height, channels }: Omit<DecodedImage, 'data'>) {
  const kept = new Uint8Array(width * height * channels);
  for (let from = 0, to = 0; to < kept.length; from += samples, to += channels) {
    for (let c = 0; c < channels; c++) kept[to + c] = data[from + c] as number;
  }
  return { width, height, channels, data: kept };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function decodePng(bytes: Uint8Array, name: string, library: PngLibrary): Promise<DecodedImage> {
  const file = parsePng(bytes, name);
  try {
    await checkStream(file, library);
    const { width, height, color, data } = library.read(concatenate(file.critical));
    return keepChannels(data, 4, { width, height, channels: color ? 3 : 1 });
  } catch (error) {
    throw new ImageError(name, `damaged PNG: ${messageOf(error)}`);
  }
}

function decodeJpeg(bytes: Uint8Array, name: string): DecodedImage {
  try {
    const options = { useTArray: true, formatAsRGBA: false, tolerantDecoding: false, ...JPEG_LIMITS } as const;
    const { width, height, data } = decodeJpegFile(bytes, options);
    return keepChannels(data, 3, { width, height, channels: 3 });
  } catch (error) {
    const message = messageOf(error);
    const isLarge = message.startsWith('maxResolutionInMP');
    const most = `${JPEG_LIMITS.maxResolutionInMP} megapixels`;
    throw new ImageError(name, isLarge ? `declares more pixels than ${most}` : `damaged JPEG: ${message}`);
  }
}

/**
 * Decodes PNG files of any colour type, depth and interlacing to 8 bits with pngjs: 16 bits become
 * round(v * 255 / 65535). Alpha is dropped, not blended, and a transparent colour (tRNS) keeps its value. Decodes
 * baseline and progressive JPEG files of 8 bits with jpeg-js; an orientation in EXIF is not followed. A colour image that
 * is grey everywhere becomes a grey one. The pixels are the same on every platform. Throws an ImageError for whatever is
 * damaged, truncated, empty or larger than 100 megapixels.
 */
export const imageDecoder = (library: PngLibrary): ImageDecoder => ({
  decode: async (bytes, name) =>
    collapseGrey(isJpeg(bytes) ? decodeJpeg(bytes, name) : await decodePng(bytes, name, library)),
});
