import { required, ShapeError } from '../base/errors.ts';
import { channelsOf, elementCount, formatShape, type Shape } from '../base/shape.ts';
import { type Activation, activationRange } from './activation.ts';
import type { BatchNormAttributes } from './batch-norm/apply.ts';
import {
  f32,
  type ImageRange,
  type LaunchContext,
  type OpDefinition,
  type Operand,
  type Signature,
} from './definition.ts';
import { summed } from './elementwise.ts';
import { bytesOf, gridOf, placement, vectorType, vectorWidth } from './launch.ts';
import { sumPartials } from './sum-partials.ts';

export interface Pool2dAttributes {
  /** [vertical, horizontal], like all pairs here. */
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
}

export interface AvgPool2dAttributes extends Pool2dAttributes {
  /** Divide by the whole kernel at the border too, as PyTorch does by default. */
  readonly countPadding: boolean;
  /** Activation after the normalisation that is applied while x is loaded; needs the input `affine`. */
  readonly prologue?: Activation;
}

type Gradient<A> = A & { readonly xShape: Shape };

/** The gradient of a range of images. */
const rangeOf = <A extends { readonly xShape: Shape }>(attributes: A, { count }: ImageRange): A => ({
  ...attributes,
  xShape: [count, ...attributes.xShape.slice(1)],
});

function poolShape(op: string, x: Shape | undefined, { kernel, stride, padding }: Pool2dAttributes): Shape {
  const shape = x ?? [];
  if (shape.length !== 4) throw new ShapeError(`${op}: expected x [N,H,W,C] but got ${formatShape(shape)}`);
  if (padding[0] > kernel[0] / 2 || padding[1] > kernel[1] / 2) {
    throw new ShapeError(`${op}: padding ${padding} is more than half of the kernel ${kernel}`);
  }
  const [images, height, width, channels] = shape as [number, number, number, number];
  const outHeight = Math.floor((height + 2 * padding[0] - kernel[0]) / stride[0]) + 1;
  const outWidth = Math.floor((width + 2 * padding[1] - kernel[1]) / stride[1]) + 1;
  if (outHeight < 1 || outWidth < 1) {
    throw new ShapeError(`${op}: the kernel ${kernel} is larger than the padded input ${formatShape(shape)}`);
  }
  return [images, outHeight, outWidth, channels];
}

function poolUniforms(x: Shape, y: Shape, { kernel, stride, padding }: Pool2dAttributes): Record<string, number> {
  return {
    height: x[1] as number,
    width: x[2] as number,
    outHeight: y[1] as number,
    outWidth: y[2] as number,
    kernelHeight: kernel[0],
    kernelWidth: kernel[1],
    strideY: stride[0],
    strideX: stride[1],
    padY: padding[0],
    padX: padding[1],
  };
}

/** Each input element is read once per window that holds it. */
const windowCost = ({ inputs, outputs, attributes }: Omit<Signature<Pool2dAttributes>, 'traits'>) => ({
  flops: attributes.kernel[0] * attributes.kernel[1] * elementCount(outputs[0]?.shape ?? []),
  bytes: bytesOf(...inputs, ...outputs),
});

/** How many channels' taps a word of indices holds. */
export const tapsPerWord = (channels: number, { kernel }: Pool2dAttributes): 1 | 4 =>
  channels % 4 === 0 && kernel[0] * kernel[1] <= 256 ? 4 : 1;

/** The width and what follows from it in shaders/max_pool2d.wgsl. */
function tapsOf(x: Shape, attributes: Pool2dAttributes) {
  const width = tapsPerWord(channelsOf(x), attributes);
  return {
    width,
    library: width === 4 ? 'lib/taps_bytes.wgsl' : 'lib/taps_words.wgsl',
    constants: { T: vectorType(width), I: width === 4 ? 'vec4u' : 'u32' },
  };
}

/**
 * Max pooling: x [N,H,W,C] -> y [N,OH,OW,C] and indices (u32 words of tapsPerWord bytes or one: the kernel's tap of each
 * first maximum). Padding never wins; ties go to the first in reading order, as in PyTorch.
 */
export const maxPool2d: OpDefinition<Pool2dAttributes> = {
  name: 'max_pool2d',
  inputs: ['x'],
  outputs: ['y', 'indices'],
  stridedOutput: true,
  images: {},
  shape([x], attributes) {
    const shape = poolShape('max_pool2d', x?.shape, attributes);
    const words = channelsOf(shape) / tapsPerWord(channelsOf(shape), attributes);
    return [f32(...shape), { shape: [...shape.slice(0, -1), words], dtype: 'u32' }];
  },
  cost: windowCost,
  variants: [
    {
      name: 'rows',
      fits: () => true,
      launches({ inputs, outputs, attributes, traits }) {
        const x = required(inputs[0], 'max_pool2d: x');
        const y = required(outputs[0], 'max_pool2d: y');
        const indices = required(outputs[1], 'max_pool2d: indices');
        const { width, library, constants } = tapsOf(x.shape, attributes);
        const grid = gridOf(y, width, traits);
        return [
          {
            shader: 'max_pool2d.wgsl',
            entry: 'forward',
            libraries: ['lib/rows.wgsl', library],
            constants: { ...constants, ...grid.constants },
            bindings: { x, y, indices },
            uniforms: {
              ...grid.uniforms,
              ...poolUniforms(x.shape, y.shape, attributes),
              ...placement('x', x, width),
              ...placement('y', y, width),
              ...placement('indices', indices, 1),
            },
            workgroups: grid.workgroups,
          },
        ];
      },
    },
  ],
  backward({ inputs: [x], outputs: [, indices], gradients: [dy], attributes, emit }) {
    if (!x || !dy) return [];
    return emit(maxPool2dGradient, [dy, indices], { ...attributes, xShape: x.shape });
  },
};

/** Gradient of max pooling: dy [N,OH,OW,C] and its indices -> dx [N,H,W,C]. */
export const maxPool2dGradient: OpDefinition<Gradient<Pool2dAttributes>> = {
  name: 'max_pool2d_gradient',
  inputs: ['dy', 'indices'],
  outputs: ['dx'],
  stridedOutput: true,
  images: { attributes: rangeOf },
  shape: (_inputs, { xShape }) => [f32(...xShape)],
  cost: windowCost,
  variants: [
    {
      name: 'rows',
      fits: () => true,
      launches({ inputs, outputs, attributes, traits }) {
        const dy = required(inputs[0], 'max_pool2d_gradient: dy');
        const taps = required(inputs[1], 'max_pool2d_gradient: indices');
        const dx = required(outputs[0], 'max_pool2d_gradient: dx');
        const { width, library, constants } = tapsOf(dx.shape, attributes);
        const grid = gridOf(dx, width, traits);
        return [
          {
            shader: 'max_pool2d.wgsl',
            entry: 'data_gradient',
            libraries: ['lib/rows.wgsl', library],
            constants: { ...constants, ...grid.constants },
            bindings: { dy, taps, dx },
            uniforms: {
              ...grid.uniforms,
              ...poolUniforms(dx.shape, dy.shape, attributes),
              ...placement('x', dx, width),
              ...placement('y', dy, width),
              ...placement('indices', taps, 1),
            },
            workgroups: grid.workgroups,
          },
        ];
      },
    },
  ],
};

/** Uniforms of shaders/avg_pool2d*.wgsl: x stands for dx too, y for dy. */
function avgPoolUniforms(x: Operand, y: Operand, attributes: AvgPool2dAttributes, width: 1 | 4) {
  return {
    ...poolUniforms(x.shape, y.shape, attributes),
    countPadding: attributes.countPadding ? 1 : 0,
    ...placement('x', x, width),
    ...placement('y', y, width),
  };
}

/**
 * Average pooling: x [N,H,W,C] -> [N,OH,OW,C]. With `affine` [4,C] the input is normalised and activated while it is
 * loaded.
 */
export const avgPool2d: OpDefinition<AvgPool2dAttributes> = {
  name: 'avg_pool2d',
  inputs: ['x', 'affine?'],
  outputs: ['y'],
  stridedOutput: true,
  images: { whole: [1] },
  prologue: { x: 0, affine: 1 },
  shape: ([x], attributes) => [f32(...poolShape('avg_pool2d', x?.shape, attributes))],
  cost: windowCost,
  variants: [
    {
      name: 'rows',
      fits: () => true,
      launches({ inputs: [source, affine], outputs: [result], attributes, traits }) {
        const [x, y] = [required(source, 'avg_pool2d: x'), required(result, 'avg_pool2d: y')];
        const width = vectorWidth(x, y, affine);
        const grid = gridOf(y, width, traits);
        return [
          {
            shader: 'avg_pool2d.wgsl',
            entry: 'forward',
            libraries: [
              'lib/rows.wgsl',
              'lib/pool_divisor.wgsl',
              affine ? 'lib/prologue_affine.wgsl' : 'lib/prologue_none.wgsl',
            ],
            constants: { T: vectorType(width), ...grid.constants },
            bindings: { x, y, ...(affine ? { affine } : {}) },
            uniforms: {
              ...grid.uniforms,
              ...avgPoolUniforms(x, y, attributes, width),
              inChannels: grid.uniforms.channels,
              ...activationRange(attributes.prologue ?? 'none'),
            },
            workgroups: grid.workgroups,
          },
        ];
      },
    },
  ],
  backward({ inputs: [x, affine], gradients: [dy], attributes, emit }) {
    if (!x || !dy || affine) return [];
    return emit(avgPool2dGradient, [dy], { ...attributes, xShape: x.shape });
  },
};

export type AvgPoolBatchNormAttributes = Gradient<AvgPool2dAttributes> & BatchNormAttributes;

/**
 * Gradient of average pooling, on through the batch normalisation and activation in front of it, whose gradient dz is
 * never stored: dy [N,OH,OW,C], x [N,H,W,C] (before the normalisation), affine [4,C] -> dx [N,H,W,C] = scale * dz where
 * the activation passes it, added to `into`, and dweight [2,C] (dgamma, dbeta). In training, dx lacks what
 * batchNormCorrection adds.
 */
export const avgPool2dBatchNormGradient: OpDefinition<AvgPoolBatchNormAttributes> = {
  name: 'avg_pool2d_batch_norm_gradient',
  inputs: ['dy', 'x', 'affine', 'into?'],
  outputs: ['dx', 'dweight'],
  stridedOutput: true,
  accumulates: 3,
  images: { whole: [2], combine: [undefined, summed], attributes: rangeOf },
  shape: (_inputs, { xShape }) => [f32(...xShape), f32(2, channelsOf(xShape))],
  cost: windowCost,
  variants: [
    {
      name: 'rows',
      fits: () => true,
      scratch: ({ attributes: { xShape }, traits }) => {
        const width = channelsOf(xShape) % 4 === 0 ? 4 : 1;
        return [f32(gridOf(f32(...xShape), width, traits, true).chunks, 2, channelsOf(xShape))];
      },
      launches({ inputs, outputs, scratch, attributes, traits }) {
        const dy = required(inputs[0], 'avg_pool2d_batch_norm_gradient: dy');
        const x = required(inputs[1], 'avg_pool2d_batch_norm_gradient: x');
        const affine = required(inputs[2], 'avg_pool2d_batch_norm_gradient: affine');
        const dx = required(outputs[0], 'avg_pool2d_batch_norm_gradient: dx');
        const dweight = required(outputs[1], 'avg_pool2d_batch_norm_gradient: dweight');
        const partials = required(scratch[0], 'avg_pool2d_batch_norm_gradient: partials');
        const width = vectorWidth(dy, x, affine, dx);
        const grid = gridOf(x, width, traits, true);
        return [
          {
            shader: 'avg_pool2d_gradient.wgsl',
            entry: 'batch_norm_gradient',
            libraries: ['lib/rows.wgsl', 'lib/pool_divisor.wgsl'],
            constants: { T: vectorType(width), ...grid.constants },
            bindings: { dy, x, affine, dx, partials },
            uniforms: {
              ...grid.uniforms,
              ...avgPoolUniforms(x, dy, attributes, width),
              ...placement('dx', dx, width),
              accumulate: inputs[3] ? 1 : 0,
              ...activationRange(attributes.activation),
            },
            workgroups: grid.workgroups,
          },
          sumPartials(partials, dweight, grid.chunks),
        ];
      },
    },
  ],
};

/** Gradient of average pooling: dy [N,OH,OW,C] -> dx [N,H,W,C]. */
export const avgPool2dGradient: OpDefinition<Gradient<AvgPool2dAttributes>> = {
  name: 'avg_pool2d_gradient',
  inputs: ['dy'],
  outputs: ['dx'],
  stridedOutput: true,
  images: { attributes: rangeOf },
  epilogue: { op: avgPool2dBatchNormGradient, fits: () => true },
  shape: (_inputs, { xShape }) => [f32(...xShape)],
  cost: windowCost,
  variants: [
    {
      name: 'rows',
      fits: () => true,
      launches({ inputs, outputs, attributes, traits }) {
        const dy = required(inputs[0], 'avg_pool2d_gradient: dy');
        const dx = required(outputs[0], 'avg_pool2d_gradient: dx');
        const width = vectorWidth(dy, dx);
        const grid = gridOf(dx, width, traits);
        return [
          {
            shader: 'avg_pool2d_gradient.wgsl',
            entry: 'data_gradient',
            libraries: ['lib/rows.wgsl', 'lib/pool_divisor.wgsl'],
            constants: { T: vectorType(width), ...grid.constants },
            bindings: { dy, dx },
            uniforms: {
              ...grid.uniforms,
              ...avgPoolUniforms(dx, dy, attributes, width),
              ...placement('dx', dx, width),
              accumulate: 0,
              low: 0,
              high: 0,
            },
            workgroups: grid.workgroups,
          },
        ];
      },
    },
  ],
};

function globalPoolLaunch(
  entry: 'forward' | 'data_gradient',
  { inputs, outputs, traits }: LaunchContext<{ xShape?: Shape }>,
) {
  const source = required(inputs[0], 'global_avg_pool2d: input');
  const result = required(outputs[0], 'global_avg_pool2d: output');
  const [large, small] = entry === 'forward' ? [source, result] : [result, source];
  const width = vectorWidth(source, result);
  const grid = gridOf(result, width, traits);
  return [
    {
      shader: 'global_avg_pool2d.wgsl',
      entry,
      libraries: ['lib/rows.wgsl'],
      constants: { T: vectorType(width), ...grid.constants },
      bindings: entry === 'forward' ? { x: source, y: result } : { dy: source, dx: result },
      uniforms: {
        ...grid.uniforms,
        pixels: (large.shape[1] as number) * (large.shape[2] as number),
        ...placement('x', large, width),
        ...placement('y', small, width),
      },
      workgroups: grid.workgroups,
    },
  ];
}

/** Global average pooling: x [N,H,W,C] -> [N,1,1,C]. */
export const globalAvgPool2d: OpDefinition<Record<never, never>> = {
  name: 'global_avg_pool2d',
  inputs: ['x'],
  outputs: ['y'],
  stridedOutput: true,
  images: {},
  shape([x]) {
    const shape = x?.shape ?? [];
    if (shape.length !== 4) {
      throw new ShapeError(`global_avg_pool2d: expected x [N,H,W,C] but got ${formatShape(shape)}`);
    }
    return [f32(shape[0] as number, 1, 1, channelsOf(shape))];
  },
  cost: ({ inputs, outputs }) => ({
    flops: elementCount(inputs[0]?.shape ?? []),
    bytes: bytesOf(...inputs, ...outputs),
  }),
  variants: [{ name: 'rows', fits: () => true, launches: (context) => globalPoolLaunch('forward', context) }],
  backward({ inputs: [x], gradients: [dy], emit }) {
    if (!x || !dy) return [];
    return emit(globalAvgPool2dGradient, [dy], { xShape: x.shape });
  },
};

/** Gradient of global average pooling: dy [N,1,1,C] -> dx [N,H,W,C]. */
export const globalAvgPool2dGradient: OpDefinition<{ readonly xShape: Shape }> = {
  name: 'global_avg_pool2d_gradient',
  inputs: ['dy'],
  outputs: ['dx'],
  stridedOutput: true,
  images: { attributes: rangeOf },
  shape: (_inputs, { xShape }) => [f32(...xShape)],
  cost: ({ inputs, outputs }) => ({
    flops: elementCount(outputs[0]?.shape ?? []),
    bytes: bytesOf(...inputs, ...outputs),
  }),
  variants: [{ name: 'rows', fits: () => true, launches: (context) => globalPoolLaunch('data_gradient', context) }],
};
