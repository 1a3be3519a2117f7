import type { DType, TensorType } from '../base/shape.ts';
import type { OpDefinition } from './definition.ts';

/** A tensor of the float64 references; `u32` tensors hold their words. */
export interface ReferenceTensor extends TensorType {
  readonly values: Float64Array | Float32Array | Uint32Array;
}

/** One element of a result, and what the tolerance of a float32 computation of it follows from. */
export interface Element {
  readonly value: number;
  /** Size of what is added up or cancels; 0 where the result is a copy of an input. */
  readonly scale: number;
  /** K, the number of terms that are added up. */
  readonly terms: number;
  /** Where the element is a word of four rounded bytes: each before rounding; `value` is not used then. */
  readonly bytes?: readonly number[];
}

/** One element of an output; outputs are followed by the inputs that the op mutates, in the order of `mutates`. */
export type ElementOf = (output: number, index: number) => Element;

/** The executable definition of an op: every element on its own, in float64. */
export type Reference<A> = (inputs: readonly (ReferenceTensor | undefined)[], attributes: A) => ElementOf;

export interface CaseInput extends TensorType {
  readonly values: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;
}

/** Emits an op into whatever graph `S` is a handle of. */
export type Emit<S> = <B>(op: OpDefinition<B>, inputs: readonly (S | undefined)[], attributes: B) => S[];

/** A small input with a name, on which every output is compared. */
export interface Case<A> {
  readonly name: string;
  readonly inputs: readonly (CaseInput | undefined)[];
  readonly attributes: A;
  /** Inputs whose gradients are compared with central differences of the reference. */
  readonly differentiate?: readonly number[];
  /** The graph to compare, where it is more than the op alone. */
  trace?<S extends TensorType>(emit: Emit<S>, inputs: readonly S[]): S[];
}

/** An op with its definition in float64 and its cases. */
// biome-ignore lint/suspicious/noExplicitAny: a list of ops holds ops of any attributes
export interface OpCases<A = any> {
  readonly op: OpDefinition<A>;
  readonly reference: Reference<A>;
  readonly cases: readonly Case<A>[];
  /** Inputs that may be slices of wider feature maps. */
  readonly maps?: readonly number[];
  /** The output is a loss: the end of a graph, whose own gradient is 1. */
  readonly loss?: boolean;
}

/** Machine epsilon of float32. */
const EPSILON = 2 ** -23;
const SMALLEST_NORMAL = 2 ** -126;

/** Steps of f16: WGSL may round to either neighbour of a number, and flush numbers below the smallest normal to zero. */
const HALF_STEP = 2 ** -10;
const SMALLEST_NORMAL_HALF = 2 ** -14;

/**
 * How far a float32 computation may be from an element: 4 eps sqrt(K) scale + eps |value|. A sum of K terms of random
 * sign makes K rounding errors of up to eps/2 of its partial sums, which themselves grow to the terms' L2 norm; `Sum`
 * takes the larger of that norm and |sum|, which is the size of the partial sums where the terms have one sign. The 4
 * also covers WGSL's division and square root (2.5 ulp). Numbers below the smallest normal may be flushed to zero.
 * A result that is stored in f16 is computed so and then rounded once.
 */
export function toleranceOf({ value, scale, terms }: Element, dtype: DType = 'f32'): number {
  const computed = 4 * EPSILON * Math.sqrt(terms) * scale + EPSILON * Math.abs(value) + SMALLEST_NORMAL;
  if (dtype !== 'f16') return computed;
  return computed + HALF_STEP * (Math.abs(value) + computed) + SMALLEST_NORMAL_HALF;
}

/** An element that is copied, without arithmetic. */
export const exact = (value: number): Element => ({ value, scale: 0, terms: 0 });

/** An element of a few roundings of numbers of at most `scale`. */
export const rounded = (value: number, scale: number, terms = 1): Element => ({ value, scale, terms });

/** Adds up terms, and what their tolerance follows from. */
export class Sum {
  value = 0;
  terms = 0;
  #squares = 0;

  /** `magnitude`: size of the term before anything cancelled inside of it. */
  add(term: number, magnitude = term): void {
    this.value += term;
    this.terms++;
    this.#squares += magnitude * magnitude;
  }

  /** The sum divided by `divisor`. */
  element(divisor = 1): Element {
    const scale = Math.max(Math.sqrt(this.#squares), Math.abs(this.value));
    return { value: this.value / divisor, scale: scale / divisor, terms: Math.max(1, this.terms) };
  }
}

/** The value of `tensor` at a position, which has to be inside of it. */
export const at = (tensor: ReferenceTensor, index: number): number => tensor.values[index] as number;

const floatBits = new DataView(new ArrayBuffer(4));

/** The f32 whose bits are a word of a u32 tensor. */
export function floatAt(tensor: ReferenceTensor, index: number): number {
  floatBits.setUint32(0, at(tensor, index));
  return floatBits.getFloat32(0);
}
