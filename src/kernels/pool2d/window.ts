import { ShapeError } from '../../base/errors.ts';
import { elementCount, formatShape, type Shape } from '../../base/shape.ts';
import type { ImageRange, Signature } from '../definition.ts';
import { bytesOf } from '../launch.ts';

export interface Pool2dAttributes {
  /** [vertical, horizontal], like all pairs here. */
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
}

/** The attributes of a pool's gradient: those of the pool, and the shape of its input. */
export type Gradient<A> = A & { readonly xShape: Shape };

/** The gradient of a range of images. */
export const rangeOf = <A extends { readonly xShape: Shape }>(attributes: A, { count }: ImageRange): A => ({
  ...attributes,
  xShape: [count, ...attributes.xShape.slice(1)],
});

export function poolShape(op: string, x: Shape | undefined, { kernel, stride, padding }: Pool2dAttributes): Shape {
  const shape = x ?? [];
  if (shape.length !== 4) throw new ShapeError(`${op}: expected x [N,H,W,C] but got ${formatShape(shape)}`);
  if (padding[0] > kernel[0] / 2 || padding[1] > kernel[1] / 2) {
    throw new ShapeError(`${op}: padding ${padding} is more than half of the kernel ${kernel}`);
  }
  const [images, height, width, channels] = shape as [number, number, number, number];
  const outHeight = Math.floor((height + 2 * padding[0] - kernel[0]) / stride[0]) + 1;
  const outWidth = Math.floor((width + 2 * padding[1] - kernel[1]) / stride[1]) + 1;
  if (outHeight < 1 || outWidth < 1) {
    throw new ShapeError(`${op}: the kernel ${kernel} is larger than the padded input ${formatShape(shape)}`);
  }
  return [images, outHeight, outWidth, channels];
}

export function poolUniforms(
  x: Shape,
  y: Shape,
  { kernel, stride, padding }: Pool2dAttributes,
): Record<string, number> {
  return {
    height: x[1] as number,
    width: x[2] as number,
    outHeight: y[1] as number,
    outWidth: y[2] as number,
    kernelHeight: kernel[0],
    kernelWidth: kernel[1],
    strideY: stride[0],
    strideX: stride[1],
    padY: padding[0],
    padX: padding[1],
  };
}

/** Each input element is read once per window that holds it. */
export const windowCost = ({ inputs, outputs, attributes }: Omit<Signature<Pool2dAttributes>, 'traits'>) => ({
  flops: attributes.kernel[0] * attributes.kernel[1] * elementCount(outputs[0]?.shape ?? []),
  bytes: bytesOf(...inputs, ...outputs),
});
