import { required } from '../../base/errors.ts';
import { channelsOf } from '../../base/shape.ts';
import { type Activation, activationRange } from '../activation.ts';
import { f32, type OpDefinition } from '../definition.ts';
import { gridOf, placement, vectorType, vectorWidth } from '../launch.ts';
import { gradientsOf } from './gradient.ts';
import { type Pool2dAttributes, poolShape, poolUniforms, windowCost } from './window.ts';

export interface AvgPool2dAttributes extends Pool2dAttributes {
  /** Divide by the whole kernel at the border too, as PyTorch does by default. */
  readonly countPadding: boolean;
  /** Activation after the normalisation that is applied while x is loaded; needs the input `affine`. */
  readonly prologue?: Activation;
}

/**
 * Average pooling: x [N,H,W,C] -> [N,OH,OW,C]. With `affine` [4,C] the input is normalised and activated while it is
 * loaded.
 */
export const avgPool2d: OpDefinition<AvgPool2dAttributes> = {
  name: 'avg_pool2d',
  inputs: ['x', 'affine?'],
  outputs: ['y'],
  half: { inputs: [0], outputs: [0] },
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
              ...poolUniforms(x.shape, y.shape, attributes),
              countPadding: attributes.countPadding ? 1 : 0,
              ...placement('x', x, width),
              ...placement('y', y, width),
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

/** Gradient of average pooling: dy [N,OH,OW,C] -> dx [N,H,W,C]. */
export const { gradient: avgPool2dGradient, batchNormGradient: avgPool2dBatchNormGradient } =
  gradientsOf<AvgPool2dAttributes>({
    name: 'avg_pool2d',
    others: [],
    width: (xShape, _attributes, operands) => (channelsOf(xShape) % 4 === 0 ? vectorWidth(...operands) : 1),
    libraries: () => ['lib/pool_divisor.wgsl', 'lib/pooled_average.wgsl'],
    constants: () => ({}),
    bindings: () => ({}),
    uniforms: ({ countPadding }) => ({ countPadding: countPadding ? 1 : 0, indicesOffset: 0, indicesStride: 0 }),
  });
