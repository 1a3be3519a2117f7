import { Buffer } from 'buffer/index.js';
import { PNG } from 'pngjs/browser.js';
import type { ImageDecoder } from '../data/image.ts';
import { imageDecoder } from './decode-image.ts';

async function inflatedLength(stream: Uint8Array, most: number): Promise<number> {
  const chunks = new Blob([stream as Uint8Array<ArrayBuffer>]).stream();
  const reader = chunks.pipeThrough(new DecompressionStream('deflate')).getReader();
  let bytes = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    bytes += next.value.length;
    if (bytes <= most) continue;
    await reader.cancel();
    throw new Error(`more than ${most} bytes of pixels`);
  }
  return bytes;
}

/** pngjs takes whatever has the methods of Node's Buffer. */
type NodeBuffer = Parameters<typeof PNG.sync.read>[0];

/** Decodes PNG and JPEG files in a browser to the pixels that Node's decoder gives; see imageDecoder. */
export const browserDecoder: ImageDecoder = imageDecoder({
  read: ({ buffer, byteOffset, byteLength }) => {
    const file = Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
    return PNG.sync.read(file as unknown as NodeBuffer);
  },
  inflatedLength,
});
