import { encode } from 'jpeg-js';
import { planPhantom, renderPhantom } from '../../src/data/phantom/index.ts';
import { encodeNodePng } from '../../src/io/node-png.ts';

/** A file as a browser's file input takes it. */
export interface PictureFile {
  readonly name: string;
  readonly mimeType: string;
  readonly buffer: Buffer;
}

const study = planPhantom({ studies: 20, seed: 5 });

/** Picture number `index` of a phantom set, as a PNG file. */
export async function pngPicture(index: number, size = 96): Promise<PictureFile> {
  const { width, height, grey } = renderPhantom(study[index] as (typeof study)[number], 0, size);
  const bytes = await encodeNodePng({ width, height, channels: 1, data: grey });
  return { name: `picture${index}.png`, mimeType: 'image/png', buffer: Buffer.from(bytes) };
}

/** The same in colours, as a JPEG file. */
export function jpegPicture(index: number, size = 96): PictureFile {
  const { width, height, grey } = renderPhantom(study[index] as (typeof study)[number], 0, size);
  const data = Buffer.alloc(4 * width * height, 255);
  grey.forEach((value, pixel) => {
    data.set([value, value >> 1, 255 - value], 4 * pixel);
  });
  return {
    name: `picture${index}.jpg`,
    mimeType: 'image/jpeg',
    buffer: Buffer.from(encode({ width, height, data }, 85).data),
  };
}
