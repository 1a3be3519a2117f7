import { UserError } from '../base/errors.ts';

/** An image of 8-bit samples, row by row, the channels of a pixel side by side: [height, width, channels]. */
export interface DecodedImage {
  width: number;
  height: number;
  /** 1 is grey; 3 is RGB. */
  channels: 1 | 3;
  data: Uint8Array;
}

/** An image file that cannot be used; `reason` is the message without the file's name. */
export class ImageError extends UserError {
  override name = 'ImageError';
  readonly reason: string;

  constructor(file: string, reason: string) {
    super(`${file}: ${reason}`);
    this.reason = reason;
  }
}

/** Turns the bytes of an image file into pixels; throws an ImageError that begins with `name`. */
export interface ImageDecoder {
  decode(bytes: Uint8Array, name: string): Promise<DecodedImage>;
}

/** An RGB image whose three channels are equal everywhere as a grey one; any other image as it is. */
export function collapseGrey(image: DecodedImage): DecodedImage {
  const { data } = image;
  if (image.channels === 1) return image;
  for (let at = 0; at < data.length; at += 3) {
    if (data[at] !== data[at + 1] || data[at] !== data[at + 2]) return image;
  }
  const grey = new Uint8Array(data.length / 3);
  for (let pixel = 0; pixel < grey.length; pixel++) grey[pixel] = data[pixel * 3] as number;
  return { ...image, channels: 1, data: grey };
}
