import { required, ShapeError } from '../../base/errors.ts';
import { ceilDivide, channelsOf, formatShape, sameShape } from '../../base/shape.ts';
import { type Combine, f32, type OpDefinition } from '../definition.ts';
import { bytesOf, placement } from '../launch.ts';

export interface MergeMomentsAttributes {
  /** The second range's share of the values of both. */
  readonly share: number;
}

const LANES = 64;

/** The moments of a batch of those of two ranges of it: a, b [1,1,2,C] (mean, biased variance) -> moments [1,1,2,C]. */
export const batchNormMergeMoments: OpDefinition<MergeMomentsAttributes> = {
  name: 'batch_norm_merge_moments',
  inputs: ['a', 'b'],
  outputs: ['moments'],
  stridedOutput: true,
  shape([a, b]) {
    if (!a || !b || !sameShape(a.shape, b.shape)) {
      throw new ShapeError(
        `batch_norm_merge_moments: operands differ in shape (a ${formatShape(a?.shape ?? [])}, ` +
          `b ${formatShape(b?.shape ?? [])})`,
      );
    }
    return [f32(...a.shape)];
  },
  cost: ({ inputs, outputs }) => ({
    flops: 10 * channelsOf(outputs[0]?.shape ?? []),
    bytes: bytesOf(...inputs, ...outputs),
  }),
  variants: [
    {
      name: 'channels',
      fits: () => true,
      launches({ inputs, outputs, attributes: { share } }) {
        const a = required(inputs[0], 'batch_norm_merge_moments: a');
        const b = required(inputs[1], 'batch_norm_merge_moments: b');
        const y = required(outputs[0], 'batch_norm_merge_moments: moments');
        const channels = channelsOf(y.shape);
        return [
          {
            shader: 'batch_norm_merge_moments.wgsl',
            entry: 'merge',
            constants: { LANES },
            bindings: { a, b, y },
            uniforms: {
              channels,
              ...placement('a', a, 1),
              ...placement('b', b, 1),
              ...placement('y', y, 1),
              share,
            },
            workgroups: [ceilDivide(channels, LANES), 1, 1],
          },
        ];
      },
    },
  ],
};

/** Moments of ranges of images of one size, each with its share of the values so far. */
export const mergedMoments: Combine = ({ first, count }) => ({
  op: batchNormMergeMoments,
  attributes: { share: count / (first + count) },
});
