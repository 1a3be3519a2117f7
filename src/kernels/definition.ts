import type { Shape, TensorType } from '../base/shape.ts';
import type { AdapterTraits } from '../base/traits.ts';

/**
 * A tensor as a kernel sees it: rows of `channels` elements, `stride` elements apart, from `offset` elements into a
 * buffer. A slice of a wider feature map has a stride larger than its channels.
 */
export interface Operand extends TensorType {
  /** The buffer, opaque to kernels. */
  readonly storage: object;
  /** In elements; a multiple of 4 where the channels are. */
  readonly offset: number;
  /** Elements from one row to the next; a multiple of 4 where the channels are. */
  readonly stride: number;
}

/** One dispatch: bindings and uniforms by the names that the shader declares. */
export interface Launch {
  /** File of shaders/. */
  readonly shader: string;
  readonly entry: string;
  /** Files of shaders/lib, appended whole. */
  readonly libraries?: readonly string[];
  /** New values of declared `const` and `alias` lines. */
  readonly constants?: Readonly<Record<string, string | number>>;
  readonly bindings: Readonly<Record<string, Operand>>;
  readonly uniforms: Readonly<Record<string, number>>;
  readonly workgroups: readonly [number, number, number];
}

/** Arithmetic and memory traffic of one execution; a multiply-accumulate is 2 flops. */
export interface Cost {
  readonly flops: number;
  readonly bytes: number;
}

export interface Signature<A> {
  readonly inputs: readonly (TensorType | undefined)[];
  readonly outputs: readonly TensorType[];
  readonly attributes: A;
  readonly traits: AdapterTraits;
}

export interface LaunchContext<A> extends Signature<A> {
  readonly inputs: readonly (Operand | undefined)[];
  readonly outputs: readonly Operand[];
  readonly scratch: readonly Operand[];
}

/** One way to compute an op. The first that fits is used. */
export interface Variant<A> {
  readonly name: string;
  fits(signature: Signature<A>): boolean;
  /** Buffers that live only while the op runs. */
  scratch?(signature: Signature<A>): TensorType[];
  launches(context: LaunchContext<A>): Launch[];
}

/** Emits ops that compute gradients; `S` is the graph's handle of a tensor. */
export interface BackwardContext<A, S extends TensorType = TensorType> {
  readonly inputs: readonly (S | undefined)[];
  readonly outputs: readonly S[];
  /** Gradients of the outputs; undefined where none is needed. */
  readonly gradients: readonly (S | undefined)[];
  readonly attributes: A;
  /** Which inputs need a gradient. */
  readonly needs: readonly boolean[];
  emit<B>(op: OpDefinition<B>, inputs: readonly (S | undefined)[], attributes: B): S[];
}

/** Where a normalisation and its activation can be applied while an input is loaded. */
export interface PrologueSlots {
  readonly x: number;
  readonly affine: number;
}

/**
 * Maps that every variant can read and write in f16, by their slots; the others are f32. What an op adds to (`into`) is
 * none of them: sums of gradients stay in f32.
 */
export interface HalfOperands {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/**
 * What an op can do to its first output while it writes it, in this order: a normalisation by the input `affine`, if it
 * has one, the sum with the input `residual`, and the activation of its attribute `activation`.
 */
export interface OutputSlots {
  readonly affine?: number;
  readonly residual?: number;
}

/** Consecutive images of a batch. */
export interface ImageRange {
  readonly first: number;
  readonly count: number;
}

/** The op of two inputs that makes one result of the results of all images before a range and of the range. */
export type Combine = (range: ImageRange) => { readonly op: OpDefinition; readonly attributes: unknown };

/** How an op is computed for a range of images at a time, where its operands are larger than an adapter can bind. */
export interface ImageSplit<A> {
  /** Inputs that every range takes whole: weights, statistics. The others are cut. */
  readonly whole?: readonly number[];
  /** For each output that reduces over the images, how results of ranges are combined; the others are cut. */
  readonly combine?: readonly (Combine | undefined)[];
  /** The attributes of a range, where they depend on the images; the inputs are those of all images. */
  attributes?(attributes: A, range: ImageRange, inputs: readonly (TensorType | undefined)[]): A;
}

/** Where a view begins in its input. */
export interface ViewStart {
  readonly row: number;
  readonly channel: number;
}

/**
 * An op that computes a gradient dz and goes on through the batch normalisation in front while it writes. Its inputs are
 * those of the first op that it does not add to, then x, affine and into; its outputs dx, as far as the statistics are
 * fixed (see batchNormCorrection), and dweight. Its attributes are those of both.
 */
export interface BatchNormEpilogue<A> {
  readonly op: OpDefinition;
  /** Whether it can. */
  fits(signature: Omit<Signature<A>, 'traits'>): boolean;
}

/**
 * An op that computes what the first op does and, as one output more, the last, the moments [1,1,2,C] of its first output
 * (see batchNormMoments), gathered while it is written. Inputs and attributes are those of the first.
 */
export interface MomentsEpilogue<A> {
  readonly op: OpDefinition<A>;
  /** Whether it does so on an adapter as fast as the first op. */
  fits(signature: Signature<A>): boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: a list of ops holds ops of any attributes
export interface OpDefinition<A = any> {
  readonly name: string;
  /** Names in order; one that may be left out ends in `?`. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Types of the outputs; throws a ShapeError naming the op and every shape where operands do not fit. */
  shape(inputs: readonly (TensorType | undefined)[], attributes: A): TensorType[];
  cost(signature: Omit<Signature<A>, 'traits'>): Cost;
  readonly variants: readonly Variant<A>[];
  /** Gradients of the inputs, in their order. Absent: not differentiable. */
  backward?<S extends TensorType>(context: BackwardContext<A, S>): (S | undefined)[];
  /** Inputs that are updated in place (running statistics, weights). */
  readonly mutates?: readonly number[];
  /** The first output may be placed inside a wider feature map. */
  readonly stridedOutput?: boolean;
  /** Other outputs that may be placed inside a wider tensor. */
  readonly otherStridedOutputs?: readonly number[];
  readonly prologue?: PrologueSlots;
  readonly half?: HalfOperands;
  readonly output?: OutputSlots;
  readonly epilogue?: BatchNormEpilogue<A>;
  readonly moments?: MomentsEpilogue<A>;
  /**
   * Input to which the first output is added where it is given: the output takes its memory, which the planner copies
   * first where it is still read later.
   */
  readonly accumulates?: number;
  /** The output is a view of the input: no launch. */
  view?(attributes: A, x: TensorType): ViewStart;
  /**
   * The output's memory is its inputs' side by side along channels, or one after the other along images: an input that
   * cannot be placed there is copied.
   */
  readonly joins?: 'channels' | 'images';
  /** The op works image by image. Absent: its operands have to be within an adapter's limit. */
  readonly images?: ImageSplit<A>;
}

/** Types of f32 tensors. */
export const f32 = (...shape: Shape): TensorType => ({ shape, dtype: 'f32' });
