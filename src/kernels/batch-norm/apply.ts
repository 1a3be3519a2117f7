import { required, ShapeError } from '../../base/errors.ts';
import { channelsOf, elementCount, formatShape, rowsOf } from '../../base/shape.ts';
import { type Activation, activationRange } from '../activation.ts';
import { f32, type OpDefinition } from '../definition.ts';
import { summed } from '../elementwise.ts';
import { bytesOf, gridOf, placement, vectorType, vectorWidth } from '../launch.ts';
import { sumPartials } from '../sum-partials.ts';

export interface BatchNormAttributes {
  /** Whether `affine` holds the statistics of this batch, which then take part in the gradient. */
  readonly training: boolean;
  readonly activation: Activation;
  /** Values per channel that the statistics come from, where x is a range of a batch; default: the rows of x. */
  readonly count?: number;
}

const wide = (channels: number): 1 | 4 => (channels % 4 === 0 ? 4 : 1);

/**
 * Batch normalisation and activation: x [N,H,W,C], weight [2,C] (gamma, beta; read only by the gradient), affine [4,C]
 * of batch_norm_fold -> z [N,H,W,C]; `residual` [N,H,W,C] is added before the activation. The gradient of x is the whole
 * one, through the batch's statistics too.
 */
export const batchNormApply: OpDefinition<BatchNormAttributes> = {
  name: 'batch_norm_apply',
  inputs: ['x', 'weight', 'affine', 'residual?'],
  outputs: ['z'],
  half: { inputs: [0, 3], outputs: [0] },
  stridedOutput: true,
  output: { residual: 3 },
  images: { whole: [1, 2] },
  shape([x, , affine]) {
    const shape = x?.shape ?? [];
    if (channelsOf(shape) !== channelsOf(affine?.shape ?? [])) {
      throw new ShapeError(
        `batch_norm: affine expects ${channelsOf(affine?.shape ?? [])} channels but x is ${formatShape(shape)}`,
      );
    }
    return [f32(...shape)];
  },
  cost: ({ inputs: [x, , , residual], outputs }) => ({
    flops: (residual ? 3 : 2) * elementCount(x?.shape ?? []),
    bytes: bytesOf(x, residual, ...outputs),
  }),
  variants: [
    {
      name: 'rows',
      fits: () => true,
      launches({ inputs, outputs, attributes, traits }) {
        const x = required(inputs[0], 'batch_norm_apply: x');
        const affine = required(inputs[2], 'batch_norm_apply: affine');
        const y = required(outputs[0], 'batch_norm_apply: z');
        const [, , , residual] = inputs;
        const width = vectorWidth(x, y, affine, residual);
        const grid = gridOf(x, width, traits);
        return [
          {
            shader: 'batch_norm_apply.wgsl',
            entry: residual ? 'apply_and_add' : 'apply',
            libraries: ['lib/rows.wgsl'],
            constants: { T: vectorType(width), ...grid.constants },
            bindings: { x, affine, y, ...(residual ? { residual } : {}) },
            uniforms: {
              ...grid.uniforms,
              ...placement('x', x, width),
              ...placement('y', y, width),
              ...placement('residual', residual ?? { ...y, offset: 0, stride: 0 }, width),
              ...activationRange(attributes.activation),
            },
            workgroups: grid.workgroups,
          },
        ];
      },
    },
  ],
  backward({ inputs: [x, , affine, residual], gradients: [dz], attributes, needs, emit }) {
    if (!x || !affine || !dz || residual) return [];
    const [dweight] = emit(batchNormWeightGradient, [dz, x, affine], attributes);
    const [dx] = needs[0] ? emit(batchNormDataGradient, [dz, x, affine, dweight, undefined], attributes) : [];
    return [dx, dweight, undefined];
  },
};

/** Gradients of gamma and beta: dz, x [N,H,W,C], affine [4,C] -> dweight [2,C]. */
export const batchNormWeightGradient: OpDefinition<BatchNormAttributes> = {
  name: 'batch_norm_weight_gradient',
  inputs: ['dz', 'x', 'affine'],
  outputs: ['dweight'],
  half: { inputs: [0, 1], outputs: [] },
  images: { whole: [2], combine: [summed] },
  shape: ([, x]) => [f32(2, channelsOf(x?.shape ?? []))],
  cost: ({ inputs: [dz, x] }) => ({ flops: 6 * elementCount(x?.shape ?? []), bytes: bytesOf(dz, x) }),
  variants: [
    {
      name: 'chunks',
      fits: () => true,
      scratch({ inputs, traits }) {
        const x = required(inputs[1], 'batch_norm_weight_gradient: x');
        const channels = channelsOf(x.shape);
        return [f32(gridOf(x, wide(channels), traits, true).chunks, 2, channels)];
      },
      launches({ inputs, outputs, scratch, attributes, traits }) {
        const dz = required(inputs[0], 'batch_norm_weight_gradient: dz');
        const x = required(inputs[1], 'batch_norm_weight_gradient: x');
        const affine = required(inputs[2], 'batch_norm_weight_gradient: affine');
        const dweight = required(outputs[0], 'batch_norm_weight_gradient: dweight');
        const partials = required(scratch[0], 'batch_norm_weight_gradient: partials');
        const width = vectorWidth(dz, x, affine);
        const grid = gridOf(x, width, traits, true);
        return [
          {
            shader: 'batch_norm_gradient.wgsl',
            entry: 'sum_chunks',
            libraries: ['lib/rows.wgsl'],
            constants: { T: vectorType(width), ...grid.constants },
            bindings: { dz, x, affine, partials },
            uniforms: {
              ...grid.uniforms,
              ...placement('dz', dz, width),
              ...placement('x', x, width),
              dweightOffset: 0,
              dxOffset: 0,
              dxStride: 0,
              accumulate: 0,
              meanShare: 0,
              ...activationRange(attributes.activation),
            },
            workgroups: grid.workgroups,
          },
          sumPartials(partials, dweight, grid.chunks, traits),
        ];
      },
    },
  ],
};

/** Gradient of the normalised input: dz, x [N,H,W,C], affine [4,C], dweight [2,C] -> dx [N,H,W,C], added to `into`. */
export const batchNormDataGradient: OpDefinition<BatchNormAttributes> = {
  name: 'batch_norm_data_gradient',
  inputs: ['dz', 'x', 'affine', 'dweight', 'into?'],
  outputs: ['dx'],
  half: { inputs: [0, 1], outputs: [0] },
  stridedOutput: true,
  accumulates: 4,
  images: {
    whole: [2, 3],
    attributes: (attributes, _range, [, x]) => ({ ...attributes, count: attributes.count ?? rowsOf(x?.shape ?? []) }),
  },
  shape: ([, x]) => [f32(...(x?.shape ?? []))],
  cost: ({ inputs: [dz, x, , , into], outputs }) => ({
    flops: 6 * elementCount(x?.shape ?? []),
    bytes: bytesOf(dz, x, into, ...outputs),
  }),
  variants: [
    {
      name: 'rows',
      fits: () => true,
      launches({ inputs, outputs, attributes, traits }) {
        const dz = required(inputs[0], 'batch_norm_data_gradient: dz');
        const x = required(inputs[1], 'batch_norm_data_gradient: x');
        const affine = required(inputs[2], 'batch_norm_data_gradient: affine');
        const dweight = required(inputs[3], 'batch_norm_data_gradient: dweight');
        const dx = required(outputs[0], 'batch_norm_data_gradient: dx');
        const width = vectorWidth(dz, x, affine, dweight, dx);
        const grid = gridOf(x, width, traits);
        return [
          {
            shader: 'batch_norm_gradient.wgsl',
            entry: 'data_gradient',
            libraries: ['lib/rows.wgsl'],
            constants: { T: vectorType(width), ...grid.constants },
            bindings: { dz, x, affine, dweight, dx },
            uniforms: {
              ...grid.uniforms,
              ...placement('dz', dz, width),
              ...placement('x', x, width),
              dweightOffset: dweight.offset / width,
              ...placement('dx', dx, width),
              accumulate: inputs[4] ? 1 : 0,
              meanShare: attributes.training ? 1 / (attributes.count ?? rowsOf(x.shape)) : 0,
              ...activationRange(attributes.activation),
            },
            workgroups: grid.workgroups,
          },
        ];
      },
    },
  ],
};
