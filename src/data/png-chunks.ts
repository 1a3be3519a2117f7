import { ImageError } from './image.ts';

/** The first 8 bytes of every PNG file (PNG specification, third edition, 5.2). */
export const PNG_SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** A colour type of the specification (11.2.1): samples a pixel, whether the last one is alpha, the depths allowed. */
export interface ColourType {
  samples: number;
  alpha: boolean;
  palette: boolean;
  depths: readonly number[];
}

const COLOUR_TYPES: Record<number, ColourType> = {
  0: { samples: 1, alpha: false, palette: false, depths: [1, 2, 4, 8, 16] },
  2: { samples: 3, alpha: false, palette: false, depths: [8, 16] },
  3: { samples: 1, alpha: false, palette: true, depths: [1, 2, 4, 8] },
  4: { samples: 2, alpha: true, palette: false, depths: [8, 16] },
  6: { samples: 4, alpha: true, palette: false, depths: [8, 16] },
};

export interface PngHeader {
  width: number;
  height: number;
  /** Bits a sample. */
  depth: number;
  colour: ColourType;
  interlaced: boolean;
}

export interface PngFile extends PngHeader {
  /** 256 RGB entries, black beyond those of the file; undefined where the file has no palette. */
  palette: Uint8Array | undefined;
  /** The zlib stream of the IDAT chunks. */
  compressed: Uint8Array;
}

/** More pixels than any radiograph has: what declares them is damaged or made to exhaust memory. */
const MAX_PIXELS = 100e6;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

/** CRC-32 as PNG uses it (ISO 3309). */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let at = 0; at < bytes.length; at++) {
    crc = (CRC_TABLE[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

function parseHeader(body: Uint8Array, name: string): PngHeader {
  if (body.length !== 13) throw new ImageError(name, `damaged PNG: its header has ${body.length} bytes, expected 13`);
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const depth = view.getUint8(8);
  const colour = COLOUR_TYPES[view.getUint8(9)];
  if (width === 0 || height === 0) throw new ImageError(name, `empty image of ${width} x ${height} pixels`);
  if (width * height > MAX_PIXELS) {
    throw new ImageError(name, `declares ${width} x ${height} pixels, expected at most ${MAX_PIXELS / 1e6} megapixels`);
  }
  if (!colour?.depths.includes(depth)) {
    throw new ImageError(name, `damaged PNG: colour type ${view.getUint8(9)} with ${depth} bits a sample`);
  }
  if (view.getUint8(10) !== 0 || view.getUint8(11) !== 0 || view.getUint8(12) > 1) {
    throw new ImageError(name, 'damaged PNG: unknown compression, filter or interlace method');
  }
  return { width, height, depth, colour, interlaced: view.getUint8(12) === 1 };
}

interface Chunk {
  type: string;
  body: Uint8Array;
}

/** The chunks up to IEND; checks the CRC of those that matter, but for IDAT, which zlib's own checksum covers. */
function* chunks(bytes: Uint8Array, name: string): Generator<Chunk> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = PNG_SIGNATURE.length; at + 12 <= bytes.length; ) {
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > bytes.length) break;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const critical = ((bytes[at + 4] as number) & 0x20) === 0;
    if (critical && type !== 'IDAT' && crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end)) {
      throw new ImageError(name, `damaged PNG: chunk ${JSON.stringify(type)} fails its checksum`);
    }
    if (type === 'IEND') return;
    yield { type, body: bytes.subarray(at + 8, end) };
    at = end + 4;
  }
  throw new ImageError(name, `truncated PNG: ends after ${bytes.length} bytes`);
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0] as Uint8Array;
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Takes a PNG file apart; throws an ImageError where it is damaged, truncated or larger than 100 megapixels. */
export function parsePng(bytes: Uint8Array, name: string): PngFile {
  if (bytes.length === 0) throw new ImageError(name, 'empty file');
  if (PNG_SIGNATURE.some((byte, at) => bytes[at] !== byte)) throw new ImageError(name, 'not a PNG file');
  let header: PngHeader | undefined;
  let palette: Uint8Array | undefined;
  const data: Uint8Array[] = [];
  for (const { type, body } of chunks(bytes, name)) {
    if (!header && type !== 'IHDR') throw new ImageError(name, 'damaged PNG: does not begin with its header');
    if (type === 'IHDR') header = parseHeader(body, name);
    else if (type === 'IDAT') data.push(body);
    else if (type === 'PLTE') {
      palette = new Uint8Array(768);
      palette.set(body.subarray(0, 768));
    } else if (/^[A-Z]/.test(type)) throw new ImageError(name, `damaged PNG: unknown chunk ${JSON.stringify(type)}`);
  }
  if (!header || data.length === 0) throw new ImageError(name, 'damaged PNG: has no pixels');
  if (header.colour.palette && !palette) throw new ImageError(name, 'damaged PNG: has no palette');
  return { ...header, palette, compressed: concatenate(data) };
}
