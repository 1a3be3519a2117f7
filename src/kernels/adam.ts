import { required, ShapeError } from '../base/errors.ts';
import { ceilDivide, elementCount, formatShape, type TensorType } from '../base/shape.ts';
import type { OpDefinition, Operand } from './definition.ts';
import { bytesOf, spread, vectorType } from './launch.ts';

const LANES = 64;

/**
 * Words of the `step` tensor that Adam reads: number (u32, for dropout), stepSize, rootCorrection, 1 - beta1, 1 - beta2,
 * epsilon, and what gradients are multiplied by, 0 where the step is left out (f32).
 */
export const STEP_WORDS = 7;

/**
 * One step of Adam on a run of parameters of any shape: p, m and v are updated in place from the gradient g.
 * `step` [7] holds the step's scalars (see STEP_WORDS).
 */
export const adam: OpDefinition<Record<never, never>> = {
  name: 'adam',
  inputs: ['p', 'g', 'm', 'v', 'step'],
  outputs: [],
  mutates: [0, 2, 3],
  shape(inputs) {
    const [p, ...others] = inputs.slice(0, 4) as TensorType[];
    const size = elementCount(p?.shape ?? []);
    if (others.some((other) => elementCount(other.shape) !== size)) {
      const shapes = inputs.slice(0, 4).map((input) => formatShape(input?.shape ?? []));
      throw new ShapeError(`adam: p, g, m and v differ in size (${shapes.join(', ')})`);
    }
    return [];
  },
  cost: ({ inputs: [p, g, m, v] }) => ({
    flops: 12 * elementCount(p?.shape ?? []),
    bytes: bytesOf(p, p, g, m, m, v, v),
  }),
  variants: [
    {
      name: 'elements',
      fits: () => true,
      launches({ inputs }) {
        const [p, g, m, v, step] = inputs.map((input) => required(input, 'adam: input')) as [
          Operand,
          Operand,
          Operand,
          Operand,
          Operand,
        ];
        const count = elementCount(p.shape);
        const width = [count, p.offset, g.offset, m.offset, v.offset].every((value) => value % 4 === 0) ? 4 : 1;
        return [
          {
            shader: 'adam.wgsl',
            entry: 'adam',
            constants: { T: vectorType(width), LANES },
            bindings: { p, g, m, v, step },
            uniforms: {
              count: count / width,
              pOffset: p.offset / width,
              gOffset: g.offset / width,
              mOffset: m.offset / width,
              vOffset: v.offset / width,
            },
            workgroups: [...spread(ceilDivide(count / width, LANES)), 1],
          },
        ];
      },
    },
  ],
};
