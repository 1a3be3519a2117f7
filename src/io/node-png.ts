import { inflateSync } from 'node:zlib';
import { PNG, type PNGWithMetadata } from 'pngjs';
import { InternalError } from '../base/errors.ts';
import { collapseGrey, type DecodedImage, type ImageDecoder, ImageError } from '../data/image.ts';
import { type PngFile, parsePng } from '../data/png.ts';

/** Pixels to be written, row by row: 1 channel is grey, 3 are RGB, 4 are RGB and alpha. */
export interface PngPixels {
  width: number;
  height: number;
  channels: 1 | 3 | 4;
  data: Uint8Array;
}

const COLOUR_TYPE = { 1: 0, 3: 2, 4: 6 } as const;

/**
 * Throws where the stream is damaged or has another length than the header implies. PNG.sync.read of pngjs 7 must not
 * be trusted with that: where Node's zlib stops early it takes the rest of the image from uninitialised memory.
 */
function checkStream({ stream, streamBytes, isInterlaced }: PngFile): void {
  let bytes: number;
  try {
    bytes = inflateSync(Buffer.concat(stream), { maxOutputLength: streamBytes }).length;
  } catch (error) {
    const isLonger = error instanceof RangeError;
    throw isLonger ? new Error(`more than ${streamBytes} bytes of pixels`) : error;
  }
  if (!isInterlaced && bytes < streamBytes) throw new Error(`${bytes} bytes of pixels, expected ${streamBytes}`);
}

function dropAlpha({ width, height, color, data }: PNGWithMetadata): DecodedImage {
  const channels = color ? 3 : 1;
  const kept = new Uint8Array(width * height * channels);
  for (let from = 0, to = 0; to < kept.length; from += 4, to += channels) {
    for (let c = 0; c < channels; c++) kept[to + c] = data[from + c] as number;
  }
  return { width, height, channels, data: kept };
}

async function decode(bytes: Uint8Array, name: string): Promise<DecodedImage> {
  const file = parsePng(bytes, name);
  let png: PNGWithMetadata;
  try {
    checkStream(file);
    png = PNG.sync.read(Buffer.concat(file.critical));
  } catch (error) {
    throw new ImageError(name, `damaged PNG: ${error instanceof Error ? error.message : error}`);
  }
  return collapseGrey(dropAlpha(png));
}

/**
 * Decodes PNG files of any colour type, depth and interlacing to 8 bits with pngjs: 16 bits become
 * round(v * 255 / 65535). Alpha is dropped, not blended, and a transparent colour (tRNS) keeps its value; an RGB image
 * that is grey everywhere becomes a grey one. Throws an ImageError for whatever is damaged, truncated, empty or larger
 * than 100 megapixels.
 */
export const nodeDecoder: ImageDecoder = { decode };

/** Encodes 8-bit pixels [height, width, channels] as the bytes of a PNG file with pngjs. */
export async function encodeNodePng(image: PngPixels): Promise<Uint8Array> {
  const { width, height, channels, data } = image;
  if (width < 1 || height < 1 || data.length !== width * height * channels) {
    throw new InternalError(`encodeNodePng got ${data.length} bytes for ${width} x ${height} x ${channels} samples`);
  }
  const colorType = COLOUR_TYPE[channels];
  const pixels = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const png = Object.assign(new PNG(), { width, height, data: pixels });
  return PNG.sync.write(png, { colorType, inputColorType: colorType });
}
