import { required } from '../base/errors.ts';
import type { AugmentAttributes } from './augment.ts';
import { AUGMENT_WORDS, NORMALISATIONS, type Normalisation } from './augment.ts';
import { at, type Element, floatAt, type Reference, rounded } from './reference.ts';

/** A picture of one plane: its value at a pixel that is inside. */
export interface Plane {
  readonly width: number;
  readonly height: number;
  value(y: number, x: number): number;
}

/** The plane mirrored left to right. */
export const mirrored = (plane: Plane): Plane => ({ ...plane, value: (y, x) => plane.value(y, plane.width - 1 - x) });

/**
 * The plane at (y, x) after it was turned counter-clockwise, as seen, about its centre: bilinear between the four
 * neighbours of the pixel's place before the turn, black outside. torchvision's rotate of a float tensor.
 */
export function turned(plane: Plane, cosine: number, sine: number, y: number, x: number): number {
  const [middleY, middleX] = [(plane.height - 1) / 2, (plane.width - 1) / 2];
  const fromX = middleX + cosine * (x - middleX) - sine * (y - middleY);
  const fromY = middleY + sine * (x - middleX) + cosine * (y - middleY);
  const [left, top] = [Math.floor(fromX), Math.floor(fromY)];
  let sum = 0;
  for (const [py, px] of [
    [top, left],
    [top, left + 1],
    [top + 1, left],
    [top + 1, left + 1],
  ] as const) {
    if (py < 0 || px < 0 || py >= plane.height || px >= plane.width) continue;
    sum += plane.value(py, px) * (1 - Math.abs(fromX - px)) * (1 - Math.abs(fromY - py));
  }
  return sum;
}

/** A value of 0 to 255 as the network takes it: channel 0 red, 1 green, 2 blue. */
export function normalisedByte(value: number, channel: number, normalisation: Normalisation = 'imagenet'): number {
  const { mean, deviation } = NORMALISATIONS[normalisation];
  return (value / 255 - (mean[channel] as number)) / (deviation[channel] as number);
}

/** x [N,size,size,4]: the fourth channel is 0. A place is known to eps times the size of the picture. */
export const augmentReference: Reference<AugmentAttributes> = (
  inputs,
  { size, first = 0, normalisation = 'imagenet' },
) => {
  const [bytes, images] = [required(inputs[0], 'bytes'), required(inputs[1], 'images')];
  const byte = (place: number) => (at(bytes, Math.floor(place / 4)) >>> (8 * (place % 4))) & 255;
  return (_, index): Element => {
    const channel = index % 4;
    if (channel === 3) return rounded(0, 0);
    const pixel = Math.floor(index / 4);
    const image = (first + Math.floor(pixel / size / size)) * AUGMENT_WORDS;
    const offset = at(images, image) + (at(images, image + 1) === 3 ? channel * size * size : 0);
    const plane: Plane = { width: size, height: size, value: (y, x) => byte(offset + y * size + x) };
    const source = at(images, image + 2) === 1 ? mirrored(plane) : plane;
    const [cosine, sine] = [floatAt(images, image + 3), floatAt(images, image + 4)];
    const value = turned(source, cosine, sine, Math.floor(pixel / size) % size, pixel % size);
    return rounded(
      normalisedByte(value, channel, normalisation),
      (1 + size) / (NORMALISATIONS[normalisation].deviation[channel] as number),
    );
  };
};
