import { InternalError } from '../base/errors.ts';

/**
 * A matrix is transposed by squares of this side, so that what is read and written stays in the cache; 16 elements are
 * one cache line.
 */
const TILE = 16;

function checkLength(what: string, values: Float32Array, expected: number): void {
  if (values.length === expected) return;
  throw new InternalError(`layout: ${what} has ${values.length} elements, expected ${expected}`);
}

/** Calls `copy` with each (row, column) of a matrix, tile by tile. */
function eachTiled(rows: number, columns: number, copy: (row: number, column: number) => void): void {
  for (let rowTile = 0; rowTile < rows; rowTile += TILE) {
    for (let columnTile = 0; columnTile < columns; columnTile += TILE) {
      const rowEnd = Math.min(rows, rowTile + TILE);
      const columnEnd = Math.min(columns, columnTile + TILE);
      for (let row = rowTile; row < rowEnd; row++) {
        for (let column = columnTile; column < columnEnd; column++) copy(row, column);
      }
    }
  }
}

/**
 * A convolution's weight from PyTorch's layout [O, I/groups, H, W] to the device's [H, W, I/groups, O].
 *
 * @param inputs size of the device's input dimension, at least I/groups; what is more is zero
 */
export function convToDevice(
  weight: Float32Array,
  [o, i, h, w]: readonly [number, number, number, number],
  inputs = i,
): Float32Array<ArrayBuffer> {
  checkLength(`conv weight [${o}, ${i}, ${h}, ${w}]`, weight, o * i * h * w);
  const area = h * w;
  const out = new Float32Array(area * inputs * o);
  eachTiled(o, i * area, (row, column) => {
    const input = Math.floor(column / area);
    const pixel = column - input * area;
    out[(pixel * inputs + input) * o + row] = weight[row * i * area + column] as number;
  });
  return out;
}

/**
 * A convolution's weight from the device's layout [H, W, inputs, O] to PyTorch's [O, I/groups, H, W]; `shape` is
 * PyTorch's. The inverse of convToDevice.
 */
export function convFromDevice(
  weight: Float32Array,
  [o, i, h, w]: readonly [number, number, number, number],
  inputs = i,
): Float32Array<ArrayBuffer> {
  checkLength(`device conv weight [${h}, ${w}, ${inputs}, ${o}]`, weight, h * w * inputs * o);
  const area = h * w;
  const out = new Float32Array(o * i * area);
  eachTiled(o, i * area, (row, column) => {
    const input = Math.floor(column / area);
    const pixel = column - input * area;
    out[row * i * area + column] = weight[(pixel * inputs + input) * o + row] as number;
  });
  return out;
}
