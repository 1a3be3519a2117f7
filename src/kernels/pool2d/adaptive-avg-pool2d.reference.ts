import { required } from '../../base/errors.ts';
import type { Shape } from '../../base/shape.ts';
import { at, type Reference, Sum } from '../reference.ts';
import type { AdaptiveAvgPool2dAttributes } from './adaptive-avg-pool2d.ts';

/** Places of the input, along one axis of `length`, that output `index` of `size` averages. */
function windowOf(index: number, size: number, length: number): number[] {
  const first = Math.floor((index * length) / size);
  const end = Math.ceil(((index + 1) * length) / size);
  return Array.from({ length: end - first }, (_, offset) => first + offset);
}

export const adaptiveAvgPool2dReference: Reference<AdaptiveAvgPool2dAttributes> = ([input], { size }) => {
  const x = required(input, 'x');
  const [, height = 0, width = 0, channels = 0] = x.shape;
  return (_, index) => {
    const pixel = Math.floor(index / channels);
    const rows = windowOf(Math.floor(pixel / size) % size, size, height);
    const columns = windowOf(pixel % size, size, width);
    const image = Math.floor(pixel / size / size);
    const sum = new Sum();
    for (const iy of rows) {
      for (const ix of columns) sum.add(at(x, ((image * height + iy) * width + ix) * channels + (index % channels)));
    }
    return sum.element(rows.length * columns.length);
  };
};

/** dx: what every window that holds the pixel passes on; all windows are looked at. */
export const adaptiveAvgPool2dGradientReference: Reference<AdaptiveAvgPool2dAttributes & { readonly xShape: Shape }> = (
  [input],
  { size, xShape },
) => {
  const dy = required(input, 'dy');
  const [, height = 0, width = 0, channels = 0] = xShape;
  return (_, index) => {
    const pixel = Math.floor(index / channels);
    const [iy, ix] = [Math.floor(pixel / width) % height, pixel % width];
    const image = Math.floor(pixel / width / height);
    const sum = new Sum();
    for (let output = 0; output < size * size; output++) {
      const rows = windowOf(Math.floor(output / size), size, height);
      const columns = windowOf(output % size, size, width);
      if (!rows.includes(iy) || !columns.includes(ix)) continue;
      const value = at(dy, (image * size * size + output) * channels + (index % channels));
      sum.add(value / (rows.length * columns.length));
    }
    return sum.element();
  };
};
