/**
 * IEEE 754 binary16 (f16) and bfloat16 (bf16) as 16-bit patterns, to and from binary32. Rounding is to nearest, ties to
 * even; infinities and NaN stay what they are, and too large values become infinity.
 */

const scratch = new DataView(new ArrayBuffer(4));

function wordOf(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}

function floatOf(bits: number): number {
  scratch.setUint32(0, bits);
  return scratch.getFloat32(0);
}

/** Shifts `bits` right by `shift` (1 to 31), to nearest with ties to even. */
function roundedShift(bits: number, shift: number): number {
  const kept = bits >>> shift;
  const rest = bits & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}

/** The f16 pattern nearest to the f32 pattern. A carry out of the mantissa runs on into the exponent, as it should. */
function f16FromF32Bits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) return sign | roundedShift(magnitude - 0x38000000, 13);
  const exponent = magnitude >>> 23;
  if (exponent < 102) return sign;
  return sign | roundedShift((magnitude & 0x7fffff) | 0x800000, 126 - exponent);
}

function bf16FromF32Bits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >>> 16) & 0x8000) | 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The f16 pattern nearest to `value`, which is first rounded to f32. */
export function f16Bits(value: number): number {
  return f16FromF32Bits(wordOf(value));
}

/** The bf16 pattern nearest to `value`, which is first rounded to f32. */
export function bf16Bits(value: number): number {
  return bf16FromF32Bits(wordOf(value));
}

/** The value of an f16 pattern, exact. */
export function f16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

/** The value of a bf16 pattern, exact. */
export function bf16Value(bits: number): number {
  return floatOf(bits << 16);
}

let f16Values: Float32Array | undefined;

/** Every f16 pattern's value: a conversion in bulk is one look-up an element. */
function f16Table(): Float32Array {
  f16Values ??= Float32Array.from({ length: 65536 }, (_, bits) => f16Value(bits));
  return f16Values;
}

/** f16 patterns to f32 values, exact. */
export function f32FromF16(patterns: Uint16Array): Float32Array<ArrayBuffer> {
  const table = f16Table();
  const values = new Float32Array(patterns.length);
  for (let index = 0; index < patterns.length; index++) values[index] = table[patterns[index] as number] as number;
  return values;
}

/** bf16 patterns to f32 values, exact. */
export function f32FromBf16(patterns: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(patterns.length);
  for (let index = 0; index < patterns.length; index++) words[index] = (patterns[index] as number) << 16;
  return new Float32Array(words.buffer);
}

function converted(values: Float32Array, convert: (bits: number) => number): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const patterns = new Uint16Array(values.length);
  for (let index = 0; index < words.length; index++) patterns[index] = convert(words[index] as number);
  return patterns;
}

/** f32 values to the nearest f16 patterns. */
export function f16FromF32(values: Float32Array): Uint16Array<ArrayBuffer> {
  return converted(values, f16FromF32Bits);
}

/** f32 values to the nearest f16 patterns, in whole words of 32 bits: a NaN follows an odd number of them. */
export function f16Words(values: Float32Array): Uint16Array<ArrayBuffer> {
  const patterns = new Uint16Array(2 * Math.ceil(values.length / 2)).fill(0x7e00);
  patterns.set(f16FromF32(values));
  return patterns;
}

/** f32 values, each rounded to f16. */
export const roundedToF16 = (values: Float32Array): Float32Array<ArrayBuffer> => f32FromF16(f16FromF32(values));

/** f32 values to the nearest bf16 patterns. */
export function bf16FromF32(values: Float32Array): Uint16Array<ArrayBuffer> {
  return converted(values, bf16FromF32Bits);
}
