import { f32FromF16 } from '../../base/half.ts';
import type { DType } from '../../base/shape.ts';
import type { Element } from '../../kernels/reference.ts';

/** The numbers of a tensor's bytes. */
export function valuesOf(bytes: ArrayBuffer, dtype: DType): Uint32Array | Float32Array {
  if (dtype === 'f16') return f32FromF16(new Uint16Array(bytes));
  return dtype === 'u32' ? new Uint32Array(bytes) : new Float32Array(bytes);
}

const LONGEST_LIST = 10;

/** Whether a value of a run is as near to the element as it has to be; words have to be equal. */
function matches(value: number, element: Element, tolerance: number, dtype: DType): boolean {
  const { bytes } = element;
  if (bytes) {
    return bytes.every((byte, place) => Math.abs(((value >>> (8 * place)) & 255) - byte) <= 0.5 + 255 * tolerance);
  }
  return dtype === 'u32' ? value === element.value : Math.abs(value - element.value) <= tolerance;
}

/** One line for each of the first ten elements that differ from what was expected, and their number. */
export function differences(
  label: string,
  dtype: DType,
  run: ArrayBuffer,
  expected: Iterable<{ readonly index: number; readonly element: Element; readonly tolerance: number }>,
): string[] {
  const values = valuesOf(run, dtype);
  const lines: string[] = [];
  let count = 0;
  let compared = 0;
  for (const { index, element, tolerance } of expected) {
    compared++;
    const value = values[index] ?? Number.NaN;
    if (matches(value, element, tolerance, dtype)) continue;
    count++;
    if (count > LONGEST_LIST) continue;
    const wanted = element.bytes ? `bytes ${element.bytes.map((byte) => byte.toFixed(2))}` : element.value;
    lines.push(`${label}[${index}] is ${value} but expected ${wanted} +- ${tolerance.toExponential(2)}`);
  }
  if (count > LONGEST_LIST) lines.push(`${label}: ${count} of ${compared} elements differ`);
  return lines;
}
