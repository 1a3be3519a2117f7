import { isSafetensors, readSafetensors, writeSafetensors } from './safetensors.ts';
import { readWeights } from './state-dict.ts';
import type { Dtype, TensorData } from './tensor-data.ts';
import { toFloat32, toFloatDtype } from './tensor-data.ts';

/** A row of `weights inspect`. */
export interface TensorSummary {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Of all elements; null where there are none, NaN where one is NaN. */
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
}

export type FloatDtype = 'F32' | 'F16' | 'BF16';

const FLOATS: readonly Dtype[] = ['F64', 'F32', 'F16', 'BF16'];

function summarize(name: string, tensor: TensorData): TensorSummary {
  const { dtype, shape, data } = tensor;
  const values = dtype === 'F16' || dtype === 'BF16' ? toFloat32(tensor) : data;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (let index = 0; index < values.length; index++) {
    const value = Number(values[index]);
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
  }
  if (values.length === 0) return { name, dtype, shape, min: null, max: null, mean: null };
  return { name, dtype, shape, min, max, mean: sum / values.length };
}

/** A summary of each tensor of a weights file, of any format that readWeights takes. */
export function inspectWeights(file: string, bytes: Uint8Array): TensorSummary[] {
  return [...readWeights(file, bytes)].map(([name, tensor]) => summarize(name, tensor));
}

/**
 * A weights file, of any format that readWeights takes, as .safetensors under torchvision's present names, with the
 * metadata that it has.
 *
 * @param dtype of the floating-point tensors; without it they keep their own. Integers always do.
 */
export function convertWeights(file: string, bytes: Uint8Array, dtype?: FloatDtype): Uint8Array<ArrayBuffer> {
  const converted = [...readWeights(file, bytes)].map(([name, tensor]) => {
    const changes = dtype !== undefined && FLOATS.includes(tensor.dtype);
    return [name, changes ? toFloatDtype(tensor, dtype) : tensor] as const;
  });
  const metadata = isSafetensors(bytes) ? readSafetensors(file, bytes).metadata : {};
  return writeSafetensors(new Map(converted), { format: 'pt', ...metadata });
}
