import type { DecodedImage } from '../../../src/data/image.ts';

/** Red, green, blue and alpha bytes as a PNG file. */
export function rgbaPng(width: number, height: number, rgba: Uint8Array): Promise<Blob> {
  const canvas = new OffscreenCanvas(width, height);
  const pixels = new Uint8ClampedArray(rgba.buffer as ArrayBuffer, rgba.byteOffset, rgba.length);
  canvas.getContext('2d')?.putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas.convertToBlob({ type: 'image/png' });
}

/** A decoded image as a PNG file that a page can show. */
export function greyOrColourPng({ width, height, channels, data }: DecodedImage): Promise<Blob> {
  const rgba = new Uint8Array(4 * width * height).fill(255);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let c = 0; c < 3; c++) rgba[4 * pixel + c] = data[channels * pixel + Math.min(c, channels - 1)] as number;
  }
  return rgbaPng(width, height, rgba);
}
