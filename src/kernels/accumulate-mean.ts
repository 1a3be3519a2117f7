import { required, ShapeError } from '../base/errors.ts';
import { ceilDivide, elementCount, formatShape } from '../base/shape.ts';
import type { OpDefinition } from './definition.ts';
import { bytesOf, spread, vectorType } from './launch.ts';

const LANES = 64;

/** Words of the `step` tensor of a part of a batch: the number that dropout draws its masks with, the part's index. */
export const PART_WORDS = 2;

export interface AccumulateMeanAttributes {
  /** Parts of a batch. */
  readonly parts: number;
}

/**
 * Mean of x over the parts of a batch, of any shape: `mean` is updated in place with a part's x, and overwritten by that
 * of the first part. `step` u32 [2] holds the index of the part (see PART_WORDS).
 */
export const accumulateMean: OpDefinition<AccumulateMeanAttributes> = {
  name: 'accumulate_mean',
  inputs: ['mean', 'x', 'step'],
  outputs: [],
  mutates: [0],
  shape([mean, x]) {
    if (elementCount(mean?.shape ?? []) !== elementCount(x?.shape ?? [])) {
      throw new ShapeError(
        `accumulate_mean: mean and x differ in size (${formatShape(mean?.shape ?? [])}, ${formatShape(x?.shape ?? [])})`,
      );
    }
    return [];
  },
  cost: ({ inputs: [mean, x] }) => ({ flops: 2 * elementCount(x?.shape ?? []), bytes: bytesOf(mean, mean, x) }),
  variants: [
    {
      name: 'elements',
      fits: () => true,
      launches({ inputs, attributes: { parts } }) {
        const mean = required(inputs[0], 'accumulate_mean: mean');
        const x = required(inputs[1], 'accumulate_mean: x');
        const step = required(inputs[2], 'accumulate_mean: step');
        const count = elementCount(x.shape);
        const width = [count, mean.offset, x.offset].every((value) => value % 4 === 0) ? 4 : 1;
        return [
          {
            shader: 'accumulate_mean.wgsl',
            entry: 'accumulate_mean',
            constants: { T: vectorType(width), LANES },
            bindings: { mean, x, step },
            uniforms: {
              count: count / width,
              meanOffset: mean.offset / width,
              xOffset: x.offset / width,
              share: 1 / parts,
            },
            workgroups: [...spread(ceilDivide(count / width, LANES)), 1],
          },
        ];
      },
    },
  ],
};
