import { required } from '../base/errors.ts';
import { channelsOf } from '../base/shape.ts';
import type { ClassActivationMapAttributes } from './class-activation-map.ts';
import { at, type Element, type Reference, type ReferenceTensor, Sum } from './reference.ts';

/** Coefficients of x^0 to x^5 of red, green and blue: Google's Turbo by polynomials (Mikhailov 2019). */
const TURBO = [
  [0.13572138, 4.6153926, -42.66032258, 132.13108234, -152.94239396, 59.28637943],
  [0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604],
  [0.1066733, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973],
] as const;

const clamped = (value: number): number => Math.min(1, Math.max(0, value));

/** PyTorch's interpolate without align_corners: both neighbours of output `index`, and the second one's share. */
function neighbours(index: number, size: number, small: number): [first: number, second: number, share: number] {
  const place = Math.max(0, ((index + 0.5) * small) / size - 0.5);
  const first = Math.min(Math.floor(place), small - 1);
  return [first, Math.min(first + 1, small - 1), place - first];
}

/** Element (row, column) of the class map: the image's maps weighted by the head's first output. */
function classMap(maps: ReferenceTensor, weight: ReferenceTensor, image: number) {
  const [, height = 0, width = 0, channels = 0] = maps.shape;
  const outputs = channelsOf(weight.shape);
  return (index: number): Element => {
    const sum = new Sum();
    for (let c = 0; c < channels; c++) {
      sum.add(at(weight, c * outputs) * at(maps, (image * height * width + index) * channels + c));
    }
    return sum.element();
  };
}

/** Output 0: the class map; 1: the map upsampled to the picture; 2: its colours over the picture, as RGBA bytes. */
export const classActivationMapReference: Reference<ClassActivationMapAttributes> = (inputs, attributes) => {
  const [maps, weight] = [required(inputs[0], 'maps'), required(inputs[1], 'weight')];
  const bytes = required(inputs[2], 'bytes');
  const [, mapHeight = 0, mapWidth = 0] = maps.shape;
  const { height, width, planes, opacity } = attributes;
  const mapElement = classMap(maps, weight, attributes.image);
  const map = Array.from({ length: mapHeight * mapWidth }, (_, index) => mapElement(index));
  const largest = map.reduce((one, other) => (one.scale > other.scale ? one : other));
  const [low, high] = [Math.min(...map.map(({ value }) => value)), Math.max(...map.map(({ value }) => value))];
  const byte = (place: number) => ((at(bytes, Math.floor(place / 4)) >>> (8 * (place % 4))) & 255) / 255;

  const heat = (index: number): number => {
    const [top, bottom, down] = neighbours(Math.floor(index / width), height, mapHeight);
    const [left, right, across] = neighbours(index % width, width, mapWidth);
    const mapAt = (y: number, x: number) => (map[y * mapWidth + x] as Element).value;
    const row = (y: number) => mapAt(y, left) * (1 - across) + mapAt(y, right) * across;
    return row(top) * (1 - down) + row(bottom) * down;
  };
  const overlay = (index: number): Element => {
    const strength = clamped((heat(index) - low) / Math.max(high - low, 1e-12));
    const colours = TURBO.map((polynomial, plane) => {
      const colour = clamped(polynomial.reduce((sum, factor, power) => sum + factor * strength ** power, 0));
      const below = byte(planes === 3 ? plane * height * width + index : index);
      return 255 * (below + (colour - below) * opacity * strength);
    });
    return { value: 0, scale: 1, terms: 1, bytes: [...colours, 255] };
  };
  return (output, index) => {
    if (output === 0) return mapElement(index);
    return output === 1 ? { ...largest, value: heat(index) } : overlay(index);
  };
};
