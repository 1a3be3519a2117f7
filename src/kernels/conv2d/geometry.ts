import { ShapeError } from '../../base/errors.ts';
import { ceilDivide, formatShape, type Shape, type TensorType } from '../../base/shape.ts';
import type { Activation } from '../activation.ts';
import type { Cost, Operand, Signature } from '../definition.ts';
import { bytesOf } from '../launch.ts';

export interface Conv2dAttributes {
  /** [vertical, horizontal], like all pairs here. */
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly groups: number;
  /** Activation after the normalisation that is applied while x is loaded; needs the input `affine`. */
  readonly prologue?: Activation;
  /** Activation of the output, after its normalisation and sum. */
  readonly activation?: Activation;
}

export interface DataGradientAttributes extends Conv2dAttributes {
  /** [N,H,W,C] of the convolution's input. */
  readonly xShape: Shape;
}

/** Sizes of one convolution, channels in elements. */
export interface Geometry {
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly inChannels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly outChannels: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
}

const extent = (size: number, kernel: number, stride: number, padding: number): number =>
  Math.floor((size + 2 * padding - kernel) / stride) + 1;

/** Checks a convolution of x [N,H,W,C] with weight [KH,KW,C/groups,O] and returns its sizes. */
export function geometryOf(op: string, x: Shape, weight: Shape, attributes: Conv2dAttributes): Geometry {
  const { stride, padding, groups } = attributes;
  const operands = `(x ${formatShape(x)}, weight ${formatShape(weight)}, groups ${groups})`;
  if (x.length !== 4 || weight.length !== 4) {
    throw new ShapeError(`${op}: expected x [N,H,W,C] and weight [KH,KW,C/groups,O] ${operands}`);
  }
  const [images, height, width, inChannels] = x as [number, number, number, number];
  const [kernelHeight, kernelWidth, groupChannels, outChannels] = weight as [number, number, number, number];
  if (groupChannels * groups !== inChannels) {
    throw new ShapeError(
      `${op}: weight expects ${groupChannels * groups} input channels but x has ${inChannels} ${operands}`,
    );
  }
  if (outChannels % groups !== 0) {
    throw new ShapeError(`${op}: ${outChannels} output channels do not divide into ${groups} groups ${operands}`);
  }
  const outHeight = extent(height, kernelHeight, stride[0], padding[0]);
  const outWidth = extent(width, kernelWidth, stride[1], padding[1]);
  if (outHeight < 1 || outWidth < 1) {
    throw new ShapeError(`${op}: the kernel is larger than the padded input ${operands}, padding ${padding}`);
  }
  return { images, height, width, inChannels, outHeight, outWidth, outChannels, kernelHeight, kernelWidth };
}

/** Multiply-accumulates of one direction of a convolution. */
export function multiplyAccumulates(geometry: Geometry, groups: number): number {
  const { images, outHeight, outWidth, outChannels, kernelHeight, kernelWidth, inChannels } = geometry;
  return images * outHeight * outWidth * outChannels * kernelHeight * kernelWidth * (inChannels / groups);
}

/** Work and traffic of a forward convolution. */
export function convolutionCost({ inputs, outputs, attributes }: Omit<Signature<Conv2dAttributes>, 'traits'>): Cost {
  const geometry = geometryOf('conv2d', inputs[0]?.shape ?? [], inputs[1]?.shape ?? [], attributes);
  return { flops: 2 * multiplyAccumulates(geometry, attributes.groups), bytes: bytesOf(...inputs, ...outputs) };
}

/** [N,OH,OW,O] of a forward convolution. */
export function convolutionShape(
  [x, weight]: Signature<Conv2dAttributes>['inputs'],
  attributes: Conv2dAttributes,
): Shape {
  const { images, outHeight, outWidth, outChannels } = geometryOf(
    'conv2d',
    x?.shape ?? [],
    weight?.shape ?? [],
    attributes,
  );
  return [images, outHeight, outWidth, outChannels];
}

/** Whether a convolution can be computed on four channels at once. */
export function isVectorised(x: TensorType, weight: TensorType, attributes: Conv2dAttributes): boolean {
  return attributes.groups === 1 && (x.shape[3] ?? 0) % 4 === 0 && (weight.shape[3] ?? 0) % 4 === 0;
}

/** The same of a data gradient: inputs dy and weight first, output dx. */
export const isVectorisedGradient = ({
  inputs: [, w],
  outputs: [dx],
  attributes,
}: Omit<Signature<DataGradientAttributes>, 'traits'>): boolean => !!dx && !!w && isVectorised(dx, w, attributes);

/** Blocks of four channels that a lane keeps in registers: the largest of 8, 4, 2, 1 that divides the channels. */
export function registerBlocks(channels: number): number {
  return [8, 4, 2].find((blocks) => (channels / 4) % blocks === 0) ?? 1;
}

/** Uniforms of a tiled kernel: sizes with channels in vec4f. */
export function vectorUniforms(geometry: Geometry, attributes: Conv2dAttributes): Record<string, number> {
  const { height, width, outHeight, outWidth, kernelHeight, kernelWidth } = geometry;
  return {
    height,
    width,
    inChannels: geometry.inChannels / 4,
    outHeight,
    outWidth,
    outChannels: geometry.outChannels / 4,
    kernelHeight,
    kernelWidth,
    ...strideAndPadding(attributes),
  };
}

export function strideAndPadding({ stride, padding }: Conv2dAttributes): Record<string, number> {
  return { strideY: stride[0], strideX: stride[1], padY: padding[0], padX: padding[1] };
}

/** The library file and binding of the prologue that x is loaded with. */
export function prologueOf(affine: Operand | undefined): { library: string; bindings: Record<string, Operand> } {
  return affine
    ? { library: 'lib/prologue_affine.wgsl', bindings: { affine } }
    : { library: 'lib/prologue_none.wgsl', bindings: {} };
}

/** Workgroups that `pixels` need at `lanes` lanes of 4 pixels. */
export const pixelGroups = (pixels: number, lanes: number): number => ceilDivide(pixels, 4 * lanes);
