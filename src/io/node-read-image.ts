import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { UserError } from '../base/errors.ts';
import { type DecodedImage, ImageError } from '../data/image.ts';
import type { FailedImage, ImageFacts } from '../data/packed.ts';
import { resizeSquare } from '../data/resize.ts';
import { fileError, nodeFiles } from './node.ts';
import { nodeDecoder } from './node-png.ts';

/** More bytes than 100 megapixels take: what is longer is no radiograph, or never ends. */
const MAX_BYTES = 2 ** 30;

/** An image whose planes are to be stored. */
interface PackedImage {
  channels: 1 | 3;
  /** Of the file. */
  sha256: string;
  /** Of the planes. */
  crc32: number;
  /** Planes [channels, size, size]. */
  pixels: Uint8Array<ArrayBuffer>;
}

/** A file whose content is not decodable, whenever it is read. */
interface BrokenImage extends FailedImage {
  sha256?: string;
}

/** The file is as it was: its hash is the known one. */
interface UnchangedImage {
  unchanged: true;
}

/** The bytes of a regular file; links are followed. Others, such as pipes and devices, may never end. */
export async function readRegularFile(file: string): Promise<Uint8Array> {
  const found = await stat(file).catch((error: unknown) => {
    throw fileError(error, 'read', file);
  });
  if (!found.isFile() && !found.isDirectory()) throw new UserError(`cannot read ${file}: it is no regular file`);
  if (found.size > MAX_BYTES) {
    throw new UserError(`cannot read ${file}: it has ${found.size} bytes, expected at most ${MAX_BYTES}`);
  }
  return nodeFiles.readBytes(file);
}

/** What is wrong with an image as a FailedImage; other errors are thrown. */
function failure(path: string, error: unknown): FailedImage {
  if (error instanceof ImageError) return { path, reason: error.reason };
  if (error instanceof UserError) return { path, reason: error.message };
  throw error;
}

const decode = async (directory: string, path: string): Promise<DecodedImage> =>
  nodeDecoder.decode(await readRegularFile(`${directory}/${path}`), path);

/** Reads and decodes one image below `directory` for its facts. */
export async function readImage(directory: string, path: string): Promise<ImageFacts | FailedImage> {
  try {
    const { width, height, channels } = await decode(directory, path);
    return { width, height, channels };
  } catch (error) {
    return failure(path, error);
  }
}

/** Files, of which some may be stored already: then their hash is known. */
export interface PackJob {
  directory: string;
  /** Side in pixels of the squares that the images are resized to. */
  size: number;
  images: readonly { path: string; known: string | undefined }[];
}

export type PackResult = PackedImage | BrokenImage | UnchangedImage;

export async function packImages({ directory, size, images }: PackJob): Promise<PackResult[]> {
  const results: PackResult[] = [];
  for (const { path, known } of images) results.push(await packImage(directory, path, size, known));
  return results;
}

/** Reads one image below `directory` and, unless its hash is `known`, decodes and resizes it. */
async function packImage(
  directory: string,
  path: string,
  size: number,
  known: string | undefined,
): Promise<PackResult> {
  let sha256: string | undefined;
  try {
    const bytes = await readRegularFile(`${directory}/${path}`);
    sha256 = createHash('sha256').update(bytes).digest('hex');
    if (sha256 === known) return { unchanged: true };
    const image = await nodeDecoder.decode(bytes, path);
    const pixels = resizeSquare(image, size) as Uint8Array<ArrayBuffer>;
    return { channels: image.channels, sha256, crc32: crc32(pixels), pixels };
  } catch (error) {
    return error instanceof ImageError && sha256 ? { ...failure(path, error), sha256 } : failure(path, error);
  }
}
