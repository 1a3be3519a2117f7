import { collapseGrey, type DecodedImage, ImageError } from './image.ts';
import { type PngFile, type PngHeader, parsePng } from './png-chunks.ts';
import { undoFilters } from './png-filter.ts';

/** Inflates a zlib stream whose content should have `length` bytes; throws where it is damaged or longer. */
export type Inflate = (stream: Uint8Array, length: number) => Uint8Array | Promise<Uint8Array>;

/** One pass over the image: every stepX-th pixel of every stepY-th row. */
interface Pass {
  startX: number;
  startY: number;
  stepX: number;
  stepY: number;
}

const WHOLE: readonly Pass[] = [{ startX: 0, startY: 0, stepX: 1, stepY: 1 }];

/** Adam7 (PNG specification, third edition, 8.2). */
const ADAM7: readonly Pass[] = [
  { startX: 0, startY: 0, stepX: 8, stepY: 8 },
  { startX: 4, startY: 0, stepX: 8, stepY: 8 },
  { startX: 0, startY: 4, stepX: 4, stepY: 8 },
  { startX: 2, startY: 0, stepX: 4, stepY: 4 },
  { startX: 0, startY: 2, stepX: 2, stepY: 4 },
  { startX: 1, startY: 0, stepX: 2, stepY: 2 },
  { startX: 0, startY: 1, stepX: 1, stepY: 2 },
];

interface PassSize {
  width: number;
  height: number;
  rowBytes: number;
  /** Bytes in the stream: a filter's number before each row. */
  bytes: number;
}

function passSize(header: PngHeader, pass: Pass): PassSize {
  const width = Math.ceil((header.width - pass.startX) / pass.stepX);
  const height = Math.ceil((header.height - pass.startY) / pass.stepY);
  const rowBytes = Math.ceil((width * header.colour.samples * header.depth) / 8);
  return { width, height, rowBytes, bytes: width > 0 ? height * (rowBytes + 1) : 0 };
}

/**
 * The samples of a row in 8 bits. 16 bits become round(v * 255 / 65535); the expression is libpng's and exact.
 * Fewer bits fill the range (1 bit: 0 and 255), but for a palette's indices, which stay as they are.
 */
function rowSamples(row: Uint8Array, header: PngHeader, out: Uint8Array): Uint8Array {
  const { depth, colour } = header;
  if (depth === 8) return row;
  if (depth === 16) {
    for (let i = 0; i < out.length; i++) {
      const value = ((row[2 * i] as number) << 8) | (row[2 * i + 1] as number);
      out[i] = (value * 255 + 32895) >> 16;
    }
    return out;
  }
  const most = (1 << depth) - 1;
  const scale = colour.palette ? 1 : 255 / most;
  for (let i = 0; i < out.length; i++) {
    const bit = i * depth;
    out[i] = (((row[bit >> 3] as number) >> (8 - depth - (bit & 7))) & most) * scale;
  }
  return out;
}

/** Puts the pixels of one pass where they belong in `image`; alpha is dropped. */
function scatter(bytes: Uint8Array, size: PassSize, pass: Pass, file: PngFile, image: DecodedImage): void {
  const { channels, data } = image;
  const { palette } = file;
  const stride = file.colour.samples;
  const scratch = new Uint8Array(size.width * stride);
  for (let y = 0; y < size.height; y++) {
    const samples = rowSamples(bytes.subarray(y * size.rowBytes, (y + 1) * size.rowBytes), file, scratch);
    let to = ((pass.startY + y * pass.stepY) * image.width + pass.startX) * channels;
    for (let x = 0; x < size.width; x++, to += pass.stepX * channels) {
      for (let c = 0; c < channels; c++) {
        data[to + c] = palette
          ? (palette[(samples[x] as number) * 3 + c] as number)
          : (samples[x * stride + c] as number);
      }
    }
  }
}

function reconstruct(raw: Uint8Array, file: PngFile, passes: readonly Pass[], name: string): DecodedImage {
  const { width, height, depth, colour } = file;
  const channels = colour.palette || colour.samples > 2 ? 3 : 1;
  const step = Math.max(1, (colour.samples * depth) >> 3);
  const image: DecodedImage = { width, height, channels, data: new Uint8Array() };
  const isPlain = depth === 8 && !colour.palette && !colour.alpha && !file.interlaced;
  if (!isPlain) image.data = new Uint8Array(width * height * channels);
  let at = 0;
  for (const pass of passes) {
    const size = passSize(file, pass);
    if (size.bytes === 0) continue;
    const bytes = undoFilters(raw.subarray(at, at + size.bytes), size.height, size.rowBytes, step);
    if (!bytes) throw new ImageError(name, 'damaged PNG: unknown row filter');
    if (isPlain) image.data = bytes;
    else scatter(bytes, size, pass, file, image);
    at += size.bytes;
  }
  return image;
}

/**
 * Decodes a PNG file of any colour type, depth and interlacing to 8 bits. Alpha is dropped, not blended; an RGB image
 * that is grey everywhere becomes a grey one. Throws an ImageError for whatever is damaged, truncated, empty or larger
 * than 100 megapixels. Source: PNG specification, third edition (https://www.w3.org/TR/png-3/).
 */
export async function decodePng(bytes: Uint8Array, name: string, inflate: Inflate): Promise<DecodedImage> {
  const file = parsePng(bytes, name);
  const passes = file.interlaced ? ADAM7 : WHOLE;
  const expected = passes.reduce((sum, pass) => sum + passSize(file, pass).bytes, 0);
  let raw: Uint8Array;
  try {
    raw = await inflate(file.compressed, expected);
  } catch (error) {
    throw new ImageError(name, `damaged PNG: ${error instanceof Error ? error.message : error}`);
  }
  if (raw.length !== expected) {
    throw new ImageError(name, `damaged PNG: ${raw.length} bytes of pixels, expected ${expected}`);
  }
  return collapseGrey(reconstruct(raw, file, passes, name));
}
