import { required } from '../../base/errors.ts';
import { channelsOf, type Shape } from '../../base/shape.ts';
import { activationRange } from '../activation.ts';
import { throughBatchNorm } from '../batch-norm/epilogue.reference.ts';
import { withMomentsOfFirst } from '../batch-norm/moments.reference.ts';
import { at, exact, type Reference, type ReferenceTensor, rounded, Sum } from '../reference.ts';
import type { AvgPool2dAttributes } from './avg-pool2d.ts';
import type { PoolBatchNormAttributes } from './gradient.ts';
import { type MaxPool2dAttributes, tapsPerWord } from './max-pool2d.ts';
import type { Pool2dAttributes } from './window.ts';

type Gradient<A> = A & { readonly xShape: Shape };

/** Places of a window inside the image: [tap, iy, ix] in reading order. */
function taps(oy: number, ox: number, [, height = 0, width = 0]: Shape, attributes: Pool2dAttributes) {
  const { kernel, stride, padding } = attributes;
  const found: [tap: number, iy: number, ix: number][] = [];
  for (let tap = 0; tap < kernel[0] * kernel[1]; tap++) {
    const iy = oy * stride[0] + Math.floor(tap / kernel[1]) - padding[0];
    const ix = ox * stride[1] + (tap % kernel[1]) - padding[1];
    if (iy >= 0 && iy < height && ix >= 0 && ix < width) found.push([tap, iy, ix]);
  }
  return found;
}

function outputSize([, height = 0, width = 0]: Shape, { kernel, stride, padding }: Pool2dAttributes): [number, number] {
  const extent = (size: number, axis: 0 | 1) =>
    Math.floor((size + 2 * padding[axis] - kernel[axis]) / stride[axis]) + 1;
  return [extent(height, 0), extent(width, 1)];
}

/** [n, row, column, channel] of a position. */
function place(index: number, [height, width]: readonly [number, number], channels: number) {
  const pixel = Math.floor(index / channels);
  return {
    n: Math.floor(pixel / width / height),
    y: Math.floor(pixel / width) % height,
    x: pixel % width,
    c: index % channels,
  };
}

const divisor = (attributes: AvgPool2dAttributes, inside: number): number =>
  attributes.countPadding ? attributes.kernel[0] * attributes.kernel[1] : inside;

/** Output 0: the largest value of each window. Output 1: the tap of its first occurrence in reading order, in words. */
export const maxPool2dReference: Reference<MaxPool2dAttributes> = ([input, affine], attributes) => {
  const x = required(input, 'x');
  const [, height = 0, width = 0, channels = 0] = x.shape;
  const size = outputSize(x.shape, attributes);
  const { low, high } = activationRange(attributes.prologue ?? 'none');
  const largest = (index: number): [value: number, tap: number, size: number] => {
    const { n, y, x: column, c } = place(index, size, channels);
    const [scale, shift] = affine ? [at(affine, c), at(affine, channels + c)] : [1, 0];
    let best: [number, number, number] = [Number.NEGATIVE_INFINITY, 0, 0];
    for (const [tap, iy, ix] of taps(y, column, x.shape, attributes)) {
      const scaled = at(x, ((n * height + iy) * width + ix) * channels + c) * scale;
      const value = affine ? Math.min(high, Math.max(low, scaled + shift)) : scaled;
      if (value > best[0]) best = [value, tap, affine ? Math.abs(scaled) + Math.abs(shift) : 0];
    }
    return best;
  };
  const perWord = tapsPerWord(channels, attributes);
  const word = (index: number) =>
    Array.from({ length: perWord }, (_, byte) => largest(perWord * index + byte)[1] * 256 ** byte);
  return (output, index) => {
    if (output === 1) return exact(word(index).reduce((sum, byte) => sum + byte, 0));
    const [value, , magnitude] = largest(index);
    return rounded(value, magnitude);
  };
};

/** Outputs 0 and 1: see maxPool2dReference. Output 2: the moments of output 0. */
export const maxPool2dMomentsReference: Reference<MaxPool2dAttributes> = (inputs, attributes) => {
  const shape = inputs[0]?.shape ?? [];
  const pooled = [shape[0] ?? 0, ...outputSize(shape, attributes), channelsOf(shape)];
  return withMomentsOfFirst(maxPool2dReference(inputs, attributes), pooled, 2);
};

export const avgPool2dReference: Reference<AvgPool2dAttributes> = ([input, affine], attributes) => {
  const x = required(input, 'x');
  const [, height = 0, width = 0, channels = 0] = x.shape;
  const size = outputSize(x.shape, attributes);
  const { low, high } = activationRange(attributes.prologue ?? 'none');
  return (_, index) => {
    const { n, y, x: column, c } = place(index, size, channels);
    const [scale, shift] = affine ? [at(affine, c), at(affine, channels + c)] : [1, 0];
    const sum = new Sum();
    const inside = taps(y, column, x.shape, attributes);
    for (const [, iy, ix] of inside) {
      const value = at(x, ((n * height + iy) * width + ix) * channels + c) * scale;
      sum.add(Math.min(high, Math.max(low, value + shift)), Math.abs(value) + Math.abs(shift));
    }
    return sum.element(divisor(attributes, inside.length));
  };
};

/** The windows that hold a pixel of x: the position of each one's output, its tap, and how many places it has inside. */
function windowsOf(pixel: { y: number; x: number }, attributes: Gradient<Pool2dAttributes>) {
  const { kernel, stride, padding, xShape } = attributes;
  const [outHeight, outWidth] = outputSize(xShape, attributes);
  const reach = (value: number, axis: 0 | 1, count: number) => {
    const first = Math.max(0, Math.ceil((value + padding[axis] - kernel[axis] + 1) / stride[axis]));
    const last = Math.min(count - 1, Math.floor((value + padding[axis]) / stride[axis]));
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
  };
  return reach(pixel.y, 0, outHeight).flatMap((oy) =>
    reach(pixel.x, 1, outWidth).map((ox) => {
      const tap = (pixel.y + padding[0] - oy * stride[0]) * kernel[1] + pixel.x + padding[1] - ox * stride[1];
      return { output: oy * outWidth + ox, tap, inside: taps(oy, ox, xShape, attributes).length };
    }),
  );
}

/** dx: sum of dy over the windows whose largest value is this one. */
export const maxPool2dGradientReference: Reference<Gradient<Pool2dAttributes>> = ([dyInput, tapInput], attributes) => {
  const [dy, indices] = [required(dyInput, 'dy'), required(tapInput, 'indices')];
  const [, height = 0, width = 0, channels = 0] = attributes.xShape;
  const outputs = outputSize(attributes.xShape, attributes);
  const perWord = tapsPerWord(channels, attributes);
  const tapAt = (position: number): number => {
    const word = at(indices, Math.floor(position / perWord));
    return perWord === 1 ? word : Math.floor(word / 256 ** (position % perWord)) % 256;
  };
  return (_, index) => {
    const { n, y, x, c } = place(index, [height, width], channels);
    const sum = new Sum();
    for (const window of windowsOf({ y, x }, attributes)) {
      const from = (n * outputs[0] * outputs[1] + window.output) * channels + c;
      if (tapAt(from) === window.tap) sum.add(at(dy, from));
    }
    return sum.element();
  };
};

/** See throughBatchNorm; dz: gradient of the pool's input. */
export const maxPool2dBatchNormGradientReference: Reference<PoolBatchNormAttributes<Pool2dAttributes>> = (
  [dy, indices, ...others],
  attributes,
) => {
  const ofDz = maxPool2dGradientReference([dy, indices], attributes);
  return throughBatchNorm((index) => ofDz(0, index), others, attributes);
};

export const avgPool2dGradientReference: Reference<Gradient<AvgPool2dAttributes>> = ([input], attributes) => {
  const dy = required(input, 'dy');
  const [, height = 0, width = 0, channels = 0] = attributes.xShape;
  const outputs = outputSize(attributes.xShape, attributes);
  return (_, index) => {
    const { n, y, x, c } = place(index, [height, width], channels);
    const sum = new Sum();
    for (const { output, inside } of windowsOf({ y, x }, attributes)) {
      sum.add(at(dy, (n * outputs[0] * outputs[1] + output) * channels + c) / divisor(attributes, inside));
    }
    return sum.element();
  };
};

/** See throughBatchNorm; dz: gradient of the pool's input. */
export const avgPool2dBatchNormGradientReference: Reference<PoolBatchNormAttributes<AvgPool2dAttributes>> = (
  [dy, ...others],
  attributes,
) => {
  const ofDz = avgPool2dGradientReference([dy], attributes);
  return throughBatchNorm((index) => ofDz(0, index), others, attributes);
};

const pixelsOf = ([, height = 0, width = 0]: Shape): number => height * width;

/** y[n,c]: mean over the image's pixels. */
export const globalAvgPool2dReference: Reference<Record<never, never>> = ([input]) => {
  const x = required(input, 'x');
  const channels = channelsOf(x.shape);
  const pixels = pixelsOf(x.shape);
  return (_, index) => {
    const n = Math.floor(index / channels);
    const sum = new Sum();
    for (let pixel = 0; pixel < pixels; pixel++) sum.add(at(x, (n * pixels + pixel) * channels + (index % channels)));
    return sum.element(pixels);
  };
};

export const globalAvgPool2dGradientReference: Reference<{ readonly xShape: Shape }> = ([input], { xShape }) => {
  const dy: ReferenceTensor = required(input, 'dy');
  const channels = channelsOf(xShape);
  const pixels = pixelsOf(xShape);
  return (_, index) => {
    const n = Math.floor(index / channels / pixels);
    const value = at(dy, n * channels + (index % channels)) / pixels;
    return rounded(value, Math.abs(value));
  };
};
