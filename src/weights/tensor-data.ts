import { bf16FromF32, f16FromF32, f32FromBf16, f32FromF16 } from '../base/half.ts';

/** How the elements of each dtype are held; half floats as their 16-bit patterns. Names are those of safetensors. */
const ARRAYS = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

export type Dtype = keyof typeof ARRAYS;
export type TensorArray = InstanceType<(typeof ARRAYS)[Dtype]>;

/** A tensor on the host: elements in row-major order. It may share memory with the file's bytes it was read from. */
export type TensorData = { readonly dtype: Dtype; readonly shape: readonly number[]; readonly data: TensorArray };

/** Tensors by their name, in the file's order. */
export type StateDict = Map<string, TensorData>;

export const DTYPES = Object.keys(ARRAYS) as Dtype[];

export function isDtype(name: string): name is Dtype {
  return Object.hasOwn(ARRAYS, name);
}

/** Bytes of one element. */
export function elementBytes(dtype: Dtype): number {
  return ARRAYS[dtype].BYTES_PER_ELEMENT;
}

/** Number of elements; may be inexact or infinite where the shape is absurd. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** A new array of zeros. */
export function zeros(dtype: Dtype, count: number): TensorArray {
  return new ARRAYS[dtype](count);
}

/** `count` little-endian elements from `bytes`, at its beginning: a view where the address is aligned, else a copy. */
export function elementsOf(dtype: Dtype, bytes: Uint8Array, count: number): TensorArray {
  const array = ARRAYS[dtype];
  const used = bytes.subarray(0, count * array.BYTES_PER_ELEMENT);
  // Not used.slice(): that of Node's Buffer, a Uint8Array too, is a view.
  const aligned = used.byteOffset % array.BYTES_PER_ELEMENT === 0 ? used : new Uint8Array(used);
  return new array(aligned.buffer as ArrayBuffer, aligned.byteOffset, count);
}

/** The elements as f32; the tensor's own array where it is f32 already. */
export function toFloat32(tensor: TensorData): Float32Array<ArrayBuffer> {
  const { dtype, data } = tensor;
  if (data instanceof Float32Array) return data as Float32Array<ArrayBuffer>;
  if (dtype === 'F16') return f32FromF16(data as Uint16Array);
  if (dtype === 'BF16') return f32FromBf16(data as Uint16Array);
  const values = new Float32Array(data.length);
  for (let index = 0; index < values.length; index++) values[index] = Number(data[index]);
  return values;
}

/** An f32 tensor over `data`. */
export function floatTensor(shape: readonly number[], data: Float32Array<ArrayBuffer>): TensorData {
  return { dtype: 'F32', shape, data };
}

/** The tensor in another float dtype; the same tensor where it has it already. */
export function toFloatDtype(tensor: TensorData, dtype: 'F32' | 'F16' | 'BF16'): TensorData {
  if (tensor.dtype === dtype) return tensor;
  const values = toFloat32(tensor);
  const data = dtype === 'F32' ? values : dtype === 'F16' ? f16FromF32(values) : bf16FromF32(values);
  return { dtype, shape: tensor.shape, data };
}
