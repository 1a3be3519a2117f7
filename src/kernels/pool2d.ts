import { required, ShapeError } from '../base/errors.ts';
import { channelsOf, elementCount, formatShape, type Shape } from '../base/shape.ts';
import { f32, type ImageRange, type LaunchContext, type OpDefinition, type Signature } from './definition.ts';
import { bytesOf, gridOf, placement, vectorType, vectorWidth } from './launch.ts';

export interface Pool2dAttributes {
  /** [vertical, horizontal], like all pairs here. */
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
}

export interface AvgPool2dAttributes extends Pool2dAttributes {
  /** Divide by the whole kernel at the border too, as PyTorch does by default. */
  readonly countPadding: boolean;
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

const indexType = (width: 1 | 4): string => (width === 4 ? 'vec4u' : 'u32');

/**
 * Max pooling: x [N,H,W,C] -> y [N,OH,OW,C] and indices (u32, the kernel's tap of the first maximum). Padding never
 * wins; ties go to the first in reading order, as in PyTorch.
 */
export const maxPool2d: OpDefinition<Pool2dAttributes> = {
  name: 'max_pool2d',
  inputs: ['x'],
  outputs: ['y', 'indices'],
  stridedOutput: true,
  images: {},
  shape([x], attributes) {
    const shape = poolShape('max_pool2d', x?.shape, attributes);
    return [f32(...shape), { shape, dtype: 'u32' }];
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
        const width = vectorWidth(x, y, indices);
        const grid = gridOf(y, width, traits);
        return [
          {
            shader: 'max_pool2d.wgsl',
            entry: 'forward',
            libraries: ['lib/rows.wgsl'],
            constants: { T: vectorType(width), I: indexType(width), ...grid.constants },
            bindings: { x, y, indices },
            uniforms: {
              ...grid.uniforms,
              ...poolUniforms(x.shape, y.shape, attributes),
              ...placement('x', x, width),
              ...placement('y', y, width),
              ...placement('indices', indices, width),
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
        const width = vectorWidth(dy, taps, dx);
        const grid = gridOf(dx, width, traits);
        return [
          {
            shader: 'max_pool2d.wgsl',
            entry: 'data_gradient',
            libraries: ['lib/rows.wgsl'],
            constants: { T: vectorType(width), I: indexType(width), ...grid.constants },
            bindings: { dy, taps, dx },
            uniforms: {
              ...grid.uniforms,
              ...poolUniforms(dx.shape, dy.shape, attributes),
              ...placement('x', dx, width),
              ...placement('y', dy, width),
              ...placement('indices', taps, width),
            },
            workgroups: grid.workgroups,
          },
        ];
      },
    },
  ],
};

function avgPoolLaunch(
  entry: 'forward' | 'data_gradient',
  { inputs, outputs, attributes, traits }: LaunchContext<AvgPool2dAttributes>,
) {
  const source = required(inputs[0], 'avg_pool2d: input');
  const result = required(outputs[0], 'avg_pool2d: output');
  const [large, small] = entry === 'forward' ? [source, result] : [result, source];
  const width = vectorWidth(source, result);
  const grid = gridOf(result, width, traits);
  return [
    {
      shader: 'avg_pool2d.wgsl',
      entry,
      libraries: ['lib/rows.wgsl'],
      constants: { T: vectorType(width), ...grid.constants },
      bindings: entry === 'forward' ? { x: source, y: result } : { dy: source, dx: result },
      uniforms: {
        ...grid.uniforms,
        ...poolUniforms(large.shape, small.shape, attributes),
        countPadding: attributes.countPadding ? 1 : 0,
        ...placement('x', large, width),
        ...placement('y', small, width),
      },
      workgroups: grid.workgroups,
    },
  ];
}

/** Average pooling: x [N,H,W,C] -> [N,OH,OW,C]. */
export const avgPool2d: OpDefinition<AvgPool2dAttributes> = {
  name: 'avg_pool2d',
  inputs: ['x'],
  outputs: ['y'],
  stridedOutput: true,
  images: {},
  shape: ([x], attributes) => [f32(...poolShape('avg_pool2d', x?.shape, attributes))],
  cost: windowCost,
  variants: [{ name: 'rows', fits: () => true, launches: (context) => avgPoolLaunch('forward', context) }],
  backward({ inputs: [x], gradients: [dy], attributes, emit }) {
    if (!x || !dy) return [];
    return emit(avgPool2dGradient, [dy], { ...attributes, xShape: x.shape });
  },
};

/** Gradient of average pooling: dy [N,OH,OW,C] -> dx [N,H,W,C]. */
export const avgPool2dGradient: OpDefinition<Gradient<AvgPool2dAttributes>> = {
  name: 'avg_pool2d_gradient',
  inputs: ['dy'],
  outputs: ['dx'],
  stridedOutput: true,
  images: { attributes: rangeOf },
  shape: (_inputs, { xShape }) => [f32(...xShape)],
  cost: windowCost,
  variants: [{ name: 'rows', fits: () => true, launches: (context) => avgPoolLaunch('data_gradient', context) }],
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
