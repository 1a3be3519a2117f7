import { required } from '../../base/errors.ts';
import { channelsOf } from '../../base/shape.ts';
import { type Activation, activationRange } from '../activation.ts';
import type { BatchNormAttributes } from '../batch-norm/apply.ts';
import { f32, type OpDefinition, type Operand } from '../definition.ts';
import { summed } from '../elementwise.ts';
import { gridOf, placement, vectorType, vectorWidth } from '../launch.ts';
import { sumPartials } from '../sum-partials.ts';
import { type Gradient, type Pool2dAttributes, poolShape, poolUniforms, rangeOf, windowCost } from './window.ts';

export interface AvgPool2dAttributes extends Pool2dAttributes {
  /** Divide by the whole kernel at the border too, as PyTorch does by default. */
  readonly countPadding: boolean;
  /** Activation after the normalisation that is applied while x is loaded; needs the input `affine`. */
  readonly prologue?: Activation;
}

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
