import { required } from '../base/errors.ts';
import { channelsOf, elementCount } from '../base/shape.ts';
import type { NarrowAttributes } from './concat.ts';
import type { ImageRange } from './definition.ts';
import { at, exact, type Reference } from './reference.ts';

export const concatReference: Reference<Record<never, never>> = (inputs) => {
  const parts = inputs.map((part) => required(part, 'part'));
  const channels = parts.reduce((sum, part) => sum + channelsOf(part.shape), 0);
  return (_, index) => {
    let channel = index % channels;
    const part = required(
      parts.find((one) => {
        if (channel < channelsOf(one.shape)) return true;
        channel -= channelsOf(one.shape);
        return false;
      }),
      'part of a channel',
    );
    return exact(at(part, Math.floor(index / channels) * channelsOf(part.shape) + channel));
  };
};

export const narrowReference: Reference<NarrowAttributes> = ([x], { start, channels }) => {
  const source = required(x, 'x');
  return (_, index) => {
    const row = Math.floor(index / channels);
    return exact(at(source, row * channelsOf(source.shape) + start + (index % channels)));
  };
};

export const concatImagesReference: Reference<Record<never, never>> = (inputs) => {
  const elements = inputs.flatMap((part) => [...required(part, 'part').values]);
  return (_, index) => exact(elements[index] as number);
};

export const narrowImagesReference: Reference<ImageRange> = ([x], { first }) => {
  const source = required(x, 'x');
  return (_, index) => exact(at(source, first * elementCount(source.shape.slice(1)) + index));
};
