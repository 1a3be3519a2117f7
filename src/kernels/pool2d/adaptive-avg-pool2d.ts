import { required, ShapeError } from '../../base/errors.ts';
import { channelsOf, elementCount, formatShape, type Shape } from '../../base/shape.ts';
import { f32, type Launch, type LaunchContext, type OpDefinition } from '../definition.ts';
import { bytesOf, gridOf, placement, vectorType, vectorWidth } from '../launch.ts';
import { rangeOf } from './window.ts';

export interface AdaptiveAvgPool2dAttributes {
  /** Width and height of the output in pixels. */
  readonly size: number;
}

type GradientAttributes = AdaptiveAvgPool2dAttributes & { readonly xShape: Shape };

function launch(
  entry: 'forward' | 'data_gradient',
  { inputs, outputs, traits }: LaunchContext<AdaptiveAvgPool2dAttributes>,
): Launch[] {
  const source = required(inputs[0], 'adaptive_avg_pool2d: input');
  const result = required(outputs[0], 'adaptive_avg_pool2d: output');
  const [x, y] = entry === 'forward' ? [source, result] : [result, source];
  const width = vectorWidth(source, result);
  const grid = gridOf(result, width, traits);
  return [
    {
      shader: 'adaptive_avg_pool2d.wgsl',
      entry,
      libraries: ['lib/rows.wgsl'],
      constants: { T: vectorType(width), ...grid.constants },
      bindings: entry === 'forward' ? { x, y } : { dy: y, dx: x },
      uniforms: {
        ...grid.uniforms,
        height: x.shape[1] as number,
        width: x.shape[2] as number,
        outHeight: y.shape[1] as number,
        outWidth: y.shape[2] as number,
        ...placement('x', x, width),
        ...placement('y', y, width),
      },
      workgroups: grid.workgroups,
    },
  ];
}

/** Adaptive average pooling, as PyTorch's AdaptiveAvgPool2d: x [N,H,W,C] -> [N,size,size,C], of any H and W. */
export const adaptiveAvgPool2d: OpDefinition<AdaptiveAvgPool2dAttributes> = {
  name: 'adaptive_avg_pool2d',
  inputs: ['x'],
  outputs: ['y'],
  half: { inputs: [0], outputs: [0] },
  stridedOutput: true,
  images: {},
  shape([x], { size }) {
    const shape = x?.shape ?? [];
    if (shape.length !== 4) {
      throw new ShapeError(`adaptive_avg_pool2d: expected x [N,H,W,C] but got ${formatShape(shape)}`);
    }
    return [f32(shape[0] as number, size, size, channelsOf(shape))];
  },
  cost: ({ inputs, outputs }) => ({
    flops: elementCount(inputs[0]?.shape ?? []),
    bytes: bytesOf(...inputs, ...outputs),
  }),
  variants: [{ name: 'rows', fits: () => true, launches: (context) => launch('forward', context) }],
  backward({ inputs: [x], gradients: [dy], attributes, emit }) {
    if (!x || !dy) return [];
    return emit(adaptiveAvgPool2dGradient, [dy], { ...attributes, xShape: x.shape });
  },
};

/** Gradient of adaptive average pooling: dy [N,size,size,C] -> dx [N,H,W,C]. */
export const adaptiveAvgPool2dGradient: OpDefinition<GradientAttributes> = {
  name: 'adaptive_avg_pool2d_gradient',
  inputs: ['dy'],
  outputs: ['dx'],
  half: { inputs: [0], outputs: [0] },
  stridedOutput: true,
  images: { attributes: rangeOf },
  shape: (_inputs, { xShape }) => [f32(...xShape)],
  cost: ({ inputs, outputs }) => ({
    flops: elementCount(outputs[0]?.shape ?? []),
    bytes: bytesOf(...inputs, ...outputs),
  }),
  variants: [{ name: 'rows', fits: () => true, launches: (context) => launch('data_gradient', context) }],
};
