import { required } from '../../base/errors.ts';
import { channelsOf, type Shape } from '../../base/shape.ts';
import { activationRange } from '../activation.ts';
import { withMomentsOfFirst } from '../batch-norm/moments.reference.ts';
import { outputElement } from '../output.reference.ts';
import { at, type Reference, type ReferenceTensor, Sum } from '../reference.ts';
import { type Conv2dAttributes, convolutionShape, type DataGradientAttributes, geometryOf } from './geometry.ts';
import type { WeightGradientAttributes } from './weight-gradient.ts';

/** An element of x after the prologue, and its size before anything cancelled in it. */
interface Loaded {
  value(index: number): number;
  magnitude(index: number): number;
}

function loaded(x: ReferenceTensor, affine: ReferenceTensor | undefined, attributes: Conv2dAttributes): Loaded {
  if (!affine) return { value: (index) => at(x, index), magnitude: (index) => at(x, index) };
  const channels = channelsOf(x.shape);
  const { low, high } = activationRange(attributes.prologue ?? 'none');
  const scaled = (index: number) => at(x, index) * at(affine, index % channels);
  const shift = (index: number) => at(affine, channels + (index % channels));
  return {
    value: (index) => Math.min(high, Math.max(low, scaled(index) + shift(index))),
    magnitude: (index) => Math.abs(scaled(index)) + Math.abs(shift(index)),
  };
}

function sizesOf(xShape: Shape, weightShape: Shape, attributes: Conv2dAttributes) {
  const sizes = geometryOf('conv2d reference', xShape, weightShape, attributes);
  const { groups, stride, padding } = attributes;
  return {
    ...sizes,
    stride,
    padding,
    groupInputs: sizes.inChannels / groups,
    groupOutputs: sizes.outChannels / groups,
  };
}

/** Digits of a position in a shape, outermost first. */
function digits(index: number, [, b = 1, c = 1, d = 1]: Shape): [number, number, number, number] {
  return [Math.floor(index / (b * c * d)), Math.floor(index / (c * d)) % b, Math.floor(index / d) % c, index % d];
}

/** y[n,oy,ox,co] = bias[co] + sum of f(x[n, oy stride + ky - padding, ...]) w[ky,kx,ci,co] over the group's inputs; then outputElement. */
export const conv2dReference: Reference<Conv2dAttributes> = (inputs, attributes) => {
  const [x, w] = [required(inputs[0], 'x'), required(inputs[1], 'weight')];
  const [, , bias, affine, outputAffine, residual] = inputs;
  const sizes = sizesOf(x.shape, w.shape, attributes);
  const { height, width, inChannels, outChannels, groupInputs, groupOutputs, stride, padding } = sizes;
  const source = loaded(x, affine, attributes);
  return (_, index) => {
    const [n, oy, ox, co] = digits(index, [0, sizes.outHeight, sizes.outWidth, outChannels]);
    const firstInput = Math.floor(co / groupOutputs) * groupInputs;
    const sum = new Sum();
    for (let ky = 0; ky < sizes.kernelHeight; ky++) {
      const iy = oy * stride[0] + ky - padding[0];
      if (iy < 0 || iy >= height) continue;
      for (let kx = 0; kx < sizes.kernelWidth; kx++) {
        const ix = ox * stride[1] + kx - padding[1];
        if (ix < 0 || ix >= width) continue;
        const pixel = ((n * height + iy) * width + ix) * inChannels + firstInput;
        const tap = (ky * sizes.kernelWidth + kx) * groupInputs;
        for (let ci = 0; ci < groupInputs; ci++) {
          const weight = at(w, (tap + ci) * outChannels + co);
          sum.add(source.value(pixel + ci) * weight, source.magnitude(pixel + ci) * weight);
        }
      }
    }
    if (bias) sum.add(at(bias, co));
    return outputElement(sum.element(), index, { affine: outputAffine, residual }, attributes.activation);
  };
};

/** Output 0: see conv2dReference. Output 1: its moments. */
export const conv2dMomentsReference: Reference<Conv2dAttributes> = (inputs, attributes) =>
  withMomentsOfFirst(conv2dReference(inputs, attributes), convolutionShape(inputs, attributes), 1);

/** dx[n,iy,ix,ci] = into + sum of dy[n,oy,ox,co] w[ky,kx,ci,co] over the taps with oy stride + ky - padding = iy. */
export const conv2dDataGradientReference: Reference<DataGradientAttributes> = (inputs, attributes) => {
  const [dy, w] = [required(inputs[0], 'dy'), required(inputs[1], 'weight')];
  const into = inputs[2];
  const sizes = sizesOf(attributes.xShape, w.shape, attributes);
  const { outHeight, outWidth, outChannels, groupInputs, groupOutputs, stride, padding } = sizes;
  return (_, index) => {
    const [n, iy, ix, channel] = digits(index, attributes.xShape);
    const firstOutput = Math.floor(channel / groupInputs) * groupOutputs;
    const sum = new Sum();
    for (let ky = 0; ky < sizes.kernelHeight; ky++) {
      const oy = (iy + padding[0] - ky) / stride[0];
      if (!Number.isInteger(oy) || oy < 0 || oy >= outHeight) continue;
      for (let kx = 0; kx < sizes.kernelWidth; kx++) {
        const ox = (ix + padding[1] - kx) / stride[1];
        if (!Number.isInteger(ox) || ox < 0 || ox >= outWidth) continue;
        const pixel = ((n * outHeight + oy) * outWidth + ox) * outChannels;
        const tap = ((ky * sizes.kernelWidth + kx) * groupInputs + (channel % groupInputs)) * outChannels;
        for (let co = firstOutput; co < firstOutput + groupOutputs; co++) sum.add(at(dy, pixel + co) * at(w, tap + co));
      }
    }
    if (into) sum.add(at(into, index));
    return sum.element();
  };
};

/** dw[ky,kx,ci,co] = sum over n, oy, ox of f(x[n, oy stride + ky - padding, ...]) dy[n,oy,ox,co]. */
export const conv2dWeightGradientReference: Reference<WeightGradientAttributes> = (inputs, attributes) => {
  const [x, dy] = [required(inputs[0], 'x'), required(inputs[1], 'dy')];
  const sizes = sizesOf(x.shape, attributes.weightShape, attributes);
  const { height, width, inChannels, outHeight, outWidth, outChannels, groupInputs, stride, padding } = sizes;
  const source = loaded(x, inputs[2], attributes);
  return (_, index) => {
    const [ky, kx, ci, co] = digits(index, attributes.weightShape);
    const channel = Math.floor(co / sizes.groupOutputs) * groupInputs + ci;
    const sum = new Sum();
    for (let n = 0; n < sizes.images; n++) {
      for (let oy = 0; oy < outHeight; oy++) {
        const iy = oy * stride[0] + ky - padding[0];
        if (iy < 0 || iy >= height) continue;
        for (let ox = 0; ox < outWidth; ox++) {
          const ix = ox * stride[1] + kx - padding[1];
          if (ix < 0 || ix >= width) continue;
          const pixel = ((n * height + iy) * width + ix) * inChannels + channel;
          const gradient = at(dy, ((n * outHeight + oy) * outWidth + ox) * outChannels + co);
          sum.add(source.value(pixel) * gradient, source.magnitude(pixel) * gradient);
        }
      }
    }
    return sum.element();
  };
};
