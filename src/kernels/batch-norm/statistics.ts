import { required, ShapeError } from '../../base/errors.ts';
import { ceilDivide, channelsOf, elementCount, formatShape, rowsOf } from '../../base/shape.ts';
import { f32, type OpDefinition } from '../definition.ts';
import { bytesOf, gridOf, placement, vectorType, vectorWidth } from '../launch.ts';
import { mergedMoments } from './merge-moments.ts';
import { gathering, mergePartials, partialMoments } from './partial-moments.ts';

/**
 * Mean and biased variance of every channel over a batch: x [N,H,W,C] -> moments [1,1,2,C]. They do not depend on who
 * normalises with them, so those of a concatenation are the concatenation of its parts' moments.
 */
export const batchNormMoments: OpDefinition<Record<never, never>> = {
  name: 'batch_norm_moments',
  inputs: ['x'],
  outputs: ['moments'],
  half: { inputs: [0], outputs: [] },
  stridedOutput: true,
  images: { combine: [mergedMoments] },
  shape([x]) {
    const shape = x?.shape ?? [];
    if (shape.length !== 4) throw new ShapeError(`batch_norm: expected x [N,H,W,C] but got ${formatShape(shape)}`);
    if (rowsOf(shape) < 2) {
      throw new ShapeError(
        `batch_norm: expected more than one value per channel when training but x is ${formatShape(shape)}: ` +
          'use a larger batch or image',
      );
    }
    return [f32(1, 1, 2, channelsOf(shape))];
  },
  cost: ({ inputs, outputs }) => ({
    flops: 4 * elementCount(inputs[0]?.shape ?? []),
    bytes: bytesOf(...inputs, ...outputs),
  }),
  variants: [
    {
      name: 'chunks',
      fits: () => true,
      scratch({ inputs, traits }) {
        const x = required(inputs[0], 'batch_norm_moments: x');
        const width = channelsOf(x.shape) % 4 === 0 ? 4 : 1;
        return [partialMoments(gridOf(x, width, traits, true).chunks, channelsOf(x.shape))];
      },
      launches({ inputs, outputs, scratch, traits }) {
        const x = required(inputs[0], 'batch_norm_moments: x');
        const moments = required(outputs[0], 'batch_norm_moments: moments');
        const partials = required(scratch[0], 'batch_norm_moments: partials');
        const width = vectorWidth(x, moments);
        const grid = gridOf(x, width, traits, true);
        const sink = gathering(partials);
        return [
          {
            shader: 'batch_norm_moments.wgsl',
            entry: 'chunk_moments',
            libraries: ['lib/rows.wgsl', ...sink.libraries],
            constants: { T: vectorType(width), ...grid.constants, ...sink.constants },
            bindings: { x, ...sink.bindings },
            uniforms: { ...grid.uniforms, ...placement('x', x, width) },
            workgroups: grid.workgroups,
          },
          mergePartials(partials, moments, traits),
        ];
      },
    },
  ],
};

export interface BatchNormFoldAttributes {
  readonly epsilon: number;
  /** Share of the new batch in the running statistics. */
  readonly momentum: number;
  /** Values per channel that the moments come from. */
  readonly count: number;
}

const FOLD_LANES = 64;

/**
 * The affine map of a batch normalisation: weight [2,C] (gamma, beta), running [2,C] (mean, variance) and, in training,
 * moments [1,1,2,C] -> affine [4,C]: scale, shift, mean, 1 / sqrt(variance + epsilon). Training updates `running` as
 * PyTorch does (unbiased variance); without moments the running statistics are used and kept.
 */
export const batchNormFold: OpDefinition<BatchNormFoldAttributes> = {
  name: 'batch_norm_fold',
  inputs: ['weight', 'running', 'moments?'],
  outputs: ['affine'],
  mutates: [1],
  shape([weight, running, moments]) {
    const channels = channelsOf(weight?.shape ?? []);
    for (const [name, type] of Object.entries({ weight, running, moments })) {
      if (type && (channelsOf(type.shape) !== channels || elementCount(type.shape) !== 2 * channels)) {
        throw new ShapeError(`batch_norm: ${name} expects [2,${channels}] but is ${formatShape(type.shape)}`);
      }
    }
    return [f32(4, channels)];
  },
  cost: ({ inputs, outputs }) => ({
    flops: 10 * channelsOf(outputs[0]?.shape ?? []),
    bytes: bytesOf(...inputs, ...outputs),
  }),
  variants: [
    {
      name: 'channels',
      fits: () => true,
      launches({ inputs, outputs, attributes }) {
        const weight = required(inputs[0], 'batch_norm_fold: weight');
        const running = required(inputs[1], 'batch_norm_fold: running');
        const moments = inputs[2];
        const affine = required(outputs[0], 'batch_norm_fold: affine');
        const channels = channelsOf(affine.shape);
        return [
          {
            shader: 'batch_norm_fold.wgsl',
            entry: moments ? 'fold_batch' : 'fold_running',
            constants: { LANES: FOLD_LANES },
            bindings: { weight, running, affine, ...(moments ? { moments } : {}) },
            uniforms: {
              channels,
              momentsOffset: moments?.offset ?? 0,
              momentsStride: moments?.stride ?? 0,
              weightOffset: weight.offset,
              runningOffset: running.offset,
              affineOffset: affine.offset,
              epsilon: attributes.epsilon,
              momentum: attributes.momentum,
              unbias: attributes.count / Math.max(1, attributes.count - 1),
            },
            workgroups: [ceilDivide(channels, FOLD_LANES), 1, 1],
          },
        ];
      },
    },
  ],
};
