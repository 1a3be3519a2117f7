import { ImageError } from './image.ts';

/** The first 8 bytes of every PNG file (PNG specification, third edition, 5.2). */
const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

const CRITICAL: ReadonlySet<string> = new Set(['IHDR', 'PLTE', 'IDAT', 'IEND']);

/** More pixels than any radiograph has: what declares them is damaged or made to exhaust memory. */
const MAX_PIXELS = 100e6;

/** As above, for the files of few columns and countless rows: a decoder holds an object a row. */
const MAX_SIDE = 65535;

/** Samples a pixel and the bits allowed for a sample, by colour type (specification, 11.2.1). */
const COLOUR_TYPES: Record<number, { samples: number; depths: readonly number[] }> = {
  0: { samples: 1, depths: [1, 2, 4, 8, 16] },
  2: { samples: 3, depths: [8, 16] },
  3: { samples: 1, depths: [1, 2, 4, 8] },
  4: { samples: 2, depths: [8, 16] },
  6: { samples: 4, depths: [8, 16] },
};

interface Header {
  isInterlaced: boolean;
  /** Bytes that the stream inflates to: at most these where the image is interlaced, else exactly these. */
  streamBytes: number;
}

/** A PNG file taken apart, its pixels still compressed. */
export interface PngFile extends Header {
  /** The signature and the critical chunks, up to the end chunk: a PNG file without its ancillary chunks. */
  critical: Uint8Array[];
  /** The zlib stream of the pixels, in pieces. */
  stream: Uint8Array[];
}

function parseHeader(body: Uint8Array, name: string): Header {
  if (body.length !== 13) throw new ImageError(name, `damaged PNG: its header has ${body.length} bytes, expected 13`);
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const [width, height, depth, type] = [view.getUint32(0), view.getUint32(4), view.getUint8(8), view.getUint8(9)];
  const colour = COLOUR_TYPES[type];
  if (width === 0 || height === 0) throw new ImageError(name, `empty image of ${width} x ${height} pixels`);
  if (width * height > MAX_PIXELS || Math.max(width, height) > MAX_SIDE) {
    const most = `${MAX_PIXELS / 1e6} megapixels and ${MAX_SIDE} a side`;
    throw new ImageError(name, `declares ${width} x ${height} pixels, expected at most ${most}`);
  }
  if (!colour?.depths.includes(depth)) {
    throw new ImageError(name, `damaged PNG: colour type ${type} with ${depth} bits a sample`);
  }
  if (view.getUint8(10) !== 0 || view.getUint8(11) !== 0 || view.getUint8(12) > 1) {
    throw new ImageError(name, 'damaged PNG: unknown compression, filter or interlace method');
  }
  const isInterlaced = view.getUint8(12) === 1;
  const rowBytes = Math.ceil((width * colour.samples * depth) / 8);
  // A filter's number for each row; interlacing cuts it into at most four, each with a number and a byte begun.
  return { isInterlaced, streamBytes: height * (rowBytes + (isInterlaced ? 8 : 1)) };
}

interface Chunk {
  type: string;
  whole: Uint8Array;
  body: Uint8Array;
}

/** The chunks up to the end chunk; what follows that is passed over. */
function* chunks(bytes: Uint8Array, name: string): Generator<Chunk> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = SIGNATURE.length; at + 12 <= bytes.length; ) {
    const end = at + 12 + view.getUint32(at);
    if (end > bytes.length) break;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    yield { type, whole: bytes.subarray(at, end), body: bytes.subarray(at + 8, end - 4) };
    if (type === 'IEND') return;
    at = end;
  }
  throw new ImageError(name, `truncated PNG: ends after ${bytes.length} bytes`);
}

/**
 * Takes a PNG file apart. Throws an ImageError where it is no PNG file, truncated, empty, made of other chunks than a
 * decoder knows, larger than 100 megapixels or 65,535 pixels a side. Checksums and pixels are not looked at.
 * Source: PNG specification, third edition (https://www.w3.org/TR/png-3/).
 */
export function parsePng(bytes: Uint8Array, name: string): PngFile {
  if (bytes.length === 0) throw new ImageError(name, 'empty file');
  if (SIGNATURE.some((byte, at) => bytes[at] !== byte)) throw new ImageError(name, 'not a PNG or JPEG file');
  const critical: Uint8Array[] = [SIGNATURE];
  const stream: Uint8Array[] = [];
  let header: Header | undefined;
  for (const { type, whole, body } of chunks(bytes, name)) {
    if (!header && type !== 'IHDR') throw new ImageError(name, 'damaged PNG: does not begin with its header');
    if (header && type === 'IHDR') throw new ImageError(name, 'damaged PNG: has two headers');
    header ??= parseHeader(body, name);
    if (type === 'IDAT') stream.push(body);
    if (CRITICAL.has(type)) critical.push(whole);
    else if (!/^[a-z]/.test(type)) throw new ImageError(name, `damaged PNG: unknown chunk ${JSON.stringify(type)}`);
  }
  if (!header || stream.length === 0) throw new ImageError(name, 'damaged PNG: has no pixels');
  return { ...header, critical, stream };
}
