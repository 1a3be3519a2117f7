import { required } from '../base/errors.ts';
import { elementCount, type TensorType } from '../base/shape.ts';
import type { AdapterTraits } from '../base/traits.ts';
import type { Launch, OpDefinition } from './definition.ts';
import { bytesOf } from './launch.ts';

const LANES = 64;

const lanesOn = ({ kind }: AdapterTraits): number => LANES * (kind === 'hardware' ? 128 : 4);

const ONE_WORD: TensorType = { shape: [1], dtype: 'u32' };

/** How many elements of x, of any shape, are infinite or NaN: u32 [1], added to `into`. */
export const countNonfinite: OpDefinition<Record<never, never>> = {
  name: 'count_nonfinite',
  inputs: ['x', 'into?'],
  outputs: ['count'],
  accumulates: 1,
  shape: () => [ONE_WORD],
  cost: ({ inputs: [x] }) => ({ flops: elementCount(x?.shape ?? []), bytes: bytesOf(x) }),
  variants: [
    {
      name: 'runs',
      fits: () => true,
      scratch: ({ traits }) => [{ shape: [lanesOn(traits)], dtype: 'u32' }],
      launches({ inputs, outputs, scratch, traits }) {
        const x = required(inputs[0], 'count_nonfinite: x');
        const count = required(outputs[0], 'count_nonfinite: count');
        const partials = required(scratch[0], 'count_nonfinite: partials');
        const lanes = lanesOn(traits);
        const common = {
          shader: 'count_nonfinite.wgsl',
          constants: { LANES },
          uniforms: {
            elements: elementCount(x.shape),
            xOffset: x.offset,
            lanes,
            accumulate: inputs[1] ? 1 : 0,
          },
        };
        return [
          { ...common, entry: 'count_runs', bindings: { x, partials }, workgroups: [lanes / LANES, 1, 1] },
          { ...common, entry: 'sum_runs', bindings: { runs: partials, count }, workgroups: [1, 1, 1] },
        ] satisfies Launch[];
      },
    },
  ],
};
