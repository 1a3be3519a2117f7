import { required, ShapeError } from '../base/errors.ts';
import { channelsOf, type DType, formatShape, rowsOf, type Shape, sameShape, type TensorType } from '../base/shape.ts';
import type { ImageRange, OpDefinition } from './definition.ts';

/** What shares memory has one element type. */
const dtypeOf = ([first]: readonly (TensorType | undefined)[]): DType => first?.dtype ?? 'f32';

/**
 * Concatenation along channels: any number of [N,H,W,Ci] -> [N,H,W,sum of Ci]. The planner makes its inputs be written
 * side by side in the first place; it costs nothing where that is possible and one copy of an input where it is not.
 */
export const concat: OpDefinition<Record<never, never>> = {
  name: 'concat',
  inputs: ['parts'],
  outputs: ['y'],
  joins: 'channels',
  images: {},
  shape(inputs) {
    const shapes = inputs.map((input) => input?.shape ?? []);
    const rows = shapes[0]?.slice(0, -1) ?? [];
    if (shapes.length === 0 || shapes.some((shape) => !sameShape(shape.slice(0, -1), rows))) {
      throw new ShapeError(`concat: parts differ in more than channels (${shapes.map(formatShape).join(', ')})`);
    }
    const channels = shapes.reduce((sum, shape) => sum + channelsOf(shape), 0);
    return [{ shape: [...rows, channels], dtype: dtypeOf(inputs) }];
  },
  cost: () => ({ flops: 0, bytes: 0 }),
  variants: [],
  backward({ inputs, gradients: [dy], needs, emit }) {
    let start = 0;
    return inputs.map((input, index) => {
      const channels = channelsOf(input?.shape ?? []);
      start += channels;
      return dy && needs[index] ? emit(narrow, [dy], { start: start - channels, channels })[0] : undefined;
    });
  },
};

export interface NarrowAttributes {
  /** First channel of the slice. */
  readonly start: number;
  readonly channels: number;
}

/** A slice of channels: x [N,H,W,C] -> a view [N,H,W,channels] of x's memory. */
export const narrow: OpDefinition<NarrowAttributes> = {
  name: 'narrow',
  inputs: ['x'],
  outputs: ['y'],
  shape([x], { start, channels }) {
    const shape = x?.shape ?? [];
    if (start < 0 || channels < 1 || start + channels > channelsOf(shape)) {
      throw new ShapeError(`narrow: channels ${start} to ${start + channels} are not all in x ${formatShape(shape)}`);
    }
    return [{ shape: [...shape.slice(0, -1), channels], dtype: dtypeOf([x]) }];
  },
  cost: () => ({ flops: 0, bytes: 0 }),
  variants: [],
  view: ({ start }) => ({ row: 0, channel: start }),
  images: {},
};

/**
 * Concatenation along images: any number of [Ni,H,W,C] -> [sum of Ni,H,W,C]. As with channels, the planner makes its
 * inputs be written one after the other in the first place.
 */
export const concatImages: OpDefinition<Record<never, never>> = {
  name: 'concat_images',
  inputs: ['parts'],
  outputs: ['y'],
  joins: 'images',
  shape(inputs) {
    const shapes = inputs.map((input) => input?.shape ?? []);
    const image = shapes[0]?.slice(1) ?? [];
    const dtype = dtypeOf(inputs);
    if (inputs.some((input) => input?.dtype !== dtype) || shapes.some((shape) => !sameShape(shape.slice(1), image))) {
      throw new ShapeError(`concat_images: parts differ in more than images (${shapes.map(formatShape).join(', ')})`);
    }
    return [{ shape: [shapes.reduce((sum, [images = 0]) => sum + images, 0), ...image], dtype }];
  },
  cost: () => ({ flops: 0, bytes: 0 }),
  variants: [],
};

/** Elements of a shape's outermost dimension: [N,H,W,C] -> N. */
const imagesOf = (shape: Shape): number => required(shape[0], 'the number of images');

/** A range of images: x [N,H,W,C] -> a view [count,H,W,C] of x's memory. */
export const narrowImages: OpDefinition<ImageRange> = {
  name: 'narrow_images',
  inputs: ['x'],
  outputs: ['y'],
  shape([x], { first, count }) {
    const { shape, dtype } = required(x, 'narrow_images: x');
    if (first < 0 || count < 1 || first + count > imagesOf(shape)) {
      throw new ShapeError(`narrow_images: images ${first} to ${first + count} are not all in x ${formatShape(shape)}`);
    }
    return [{ shape: [count, ...shape.slice(1)], dtype }];
  },
  cost: () => ({ flops: 0, bytes: 0 }),
  variants: [],
  view: ({ first }, { shape }) => ({ row: (first * rowsOf(shape)) / imagesOf(shape), channel: 0 }),
};
