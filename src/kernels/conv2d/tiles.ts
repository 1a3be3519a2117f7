import { ceilDivide } from '../../base/shape.ts';
import type { Conv2dAttributes, Geometry } from './geometry.ts';

/** Height and width, in whatever unit. */
type Extent = readonly [number, number];

/** Cuts `images` maps of height x width into tiles of at most `rows` x `columns`. */
export function tileGrid(images: number, [height, width]: Extent, rows: number, columns: number) {
  const tileRows = ceilDivide(height, rows);
  const tileColumns = ceilDivide(width, columns);
  return { tiles: images * tileRows * tileColumns, tileRows, tileColumns, rows: Math.min(rows, height) };
}

/**
 * The inputs of a convolution in blocks of one stride that begin at multiples of the stride in the padded input, so that
 * a block begins where an output does: the first row and column of blocks that hold inputs, and how many there are.
 */
export function inputBlocks({ height, width }: Geometry, stride: Extent, padding: Extent) {
  const along = (size: number, step: number, pad: number) => {
    const first = Math.floor(pad / step);
    return { first, count: Math.floor((pad + size - 1) / step) - first + 1 };
  };
  const [down, across] = [along(height, stride[0], padding[0]), along(width, stride[1], padding[1])];
  return { firstRow: down.first, firstColumn: across.first, extent: [down.count, across.count] as const };
}

/** Uniforms of both maps' sizes and the padding. */
export const mapUniforms = ({ height, width, outHeight, outWidth }: Geometry, { padding }: Conv2dAttributes) => ({
  height,
  width,
  outHeight,
  outWidth,
  padY: padding[0],
  padX: padding[1],
});
