import { required } from '../base/errors.ts';
import { channelsOf, elementCount } from '../base/shape.ts';
import { f32, type OpDefinition } from './definition.ts';
import { summed } from './elementwise.ts';
import { bytesOf, gridOf, placement, vectorType, vectorWidth } from './launch.ts';
import { sumPartials } from './sum-partials.ts';

/** Sums a feature map [N,H,W,C] over its pixels: [C]. The gradient of a bias. */
export const sumOverRows: OpDefinition<Record<never, never>> = {
  name: 'sum_over_rows',
  inputs: ['x'],
  outputs: ['sum'],
  half: { inputs: [0], outputs: [] },
  images: { combine: [summed] },
  shape: ([x]) => [f32(channelsOf(x?.shape ?? []))],
  cost: ({ inputs, outputs }) => ({
    flops: elementCount(inputs[0]?.shape ?? []),
    bytes: bytesOf(...inputs, ...outputs),
  }),
  variants: [
    {
      name: 'chunks',
      fits: () => true,
      scratch({ inputs, traits }) {
        const x = required(inputs[0], 'sum_over_rows: x');
        const width = channelsOf(x.shape) % 4 === 0 ? 4 : 1;
        return [f32(gridOf(x, width, traits, true).chunks, channelsOf(x.shape))];
      },
      launches({ inputs, outputs, scratch, traits }) {
        const x = required(inputs[0], 'sum_over_rows: x');
        const sum = required(outputs[0], 'sum_over_rows: sum');
        const partials = required(scratch[0], 'sum_over_rows: partials');
        const width = vectorWidth(x);
        const grid = gridOf(x, width, traits, true);
        return [
          {
            shader: 'sum_over_rows.wgsl',
            entry: 'sum_chunks',
            libraries: ['lib/rows.wgsl'],
            constants: { T: vectorType(width), ...grid.constants },
            bindings: { x, partials },
            uniforms: { ...grid.uniforms, ...placement('x', x, width) },
            workgroups: grid.workgroups,
          },
          sumPartials(partials, sum, grid.chunks, traits),
        ];
      },
    },
  ],
};
