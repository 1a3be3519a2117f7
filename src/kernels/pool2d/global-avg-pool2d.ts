import { required, ShapeError } from '../../base/errors.ts';
import { channelsOf, elementCount, formatShape, type Shape } from '../../base/shape.ts';
import { f32, type LaunchContext, type OpDefinition } from '../definition.ts';
import { bytesOf, gridOf, placement, vectorType, vectorWidth } from '../launch.ts';
import { rangeOf } from './window.ts';

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
  half: { inputs: [0], outputs: [] },
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
  half: { inputs: [], outputs: [0] },
  stridedOutput: true,
  images: { attributes: rangeOf },
  shape: (_inputs, { xShape }) => [f32(...xShape)],
  cost: ({ inputs, outputs }) => ({
    flops: elementCount(outputs[0]?.shape ?? []),
    bytes: bytesOf(...inputs, ...outputs),
  }),
  variants: [{ name: 'rows', fits: () => true, launches: (context) => globalPoolLaunch('data_gradient', context) }],
};
