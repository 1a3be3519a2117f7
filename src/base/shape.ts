/** Sizes of a tensor, outermost first. Feature maps are NHWC: [images, height, width, channels]. */
export type Shape = readonly number[];

/** Element types that tensors have on the GPU. */
export type DType = 'f32' | 'u32' | 'f16';

export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Number of elements of a shape; 1 for a scalar's []. */
export const elementCount = (shape: Shape): number => shape.reduce((product, size) => product * size, 1);

/** Bytes of an element. */
export const elementBytes = (dtype: DType): 2 | 4 => (dtype === 'f16' ? 2 : 4);

/** Bytes of all elements of a tensor. */
export const bytesOfTensor = ({ shape, dtype }: TensorType): number => elementBytes(dtype) * elementCount(shape);

/** Size of the innermost dimension: the channels of a feature map, the length of a vector. */
export const channelsOf = (shape: Shape): number => shape[shape.length - 1] ?? 1;

/** Number of rows of `channelsOf(shape)` elements: the pixels of a feature map. */
export const rowsOf = (shape: Shape): number => elementCount(shape.slice(0, -1));

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((size, index) => size === b[index]);

/** `[2,64,64,3]`, as error messages print it. */
export const formatShape = (shape: Shape): string => `[${shape.join(',')}]`;

export const ceilDivide = (value: number, divisor: number): number => Math.ceil(value / divisor);

export const roundUp = (value: number, multiple: number): number => ceilDivide(value, multiple) * multiple;
