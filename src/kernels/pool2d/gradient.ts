import { required } from '../../base/errors.ts';
import { channelsOf, type Shape } from '../../base/shape.ts';
import { activationRange } from '../activation.ts';
import type { BatchNormAttributes } from '../batch-norm/apply.ts';
import { f32, type Launch, type LaunchContext, type OpDefinition, type Operand } from '../definition.ts';
import { summed } from '../elementwise.ts';
import { gridOf, placement, vectorType } from '../launch.ts';
import { sumPartials } from '../sum-partials.ts';
import { type Gradient, type Pool2dAttributes, poolUniforms, rangeOf, windowCost } from './window.ts';

export type PoolBatchNormAttributes<A> = Gradient<A> & BatchNormAttributes;

/** What tells the gradient of one kind of pooling from that of another. */
export interface Pooling<A> {
  /** Of the pooling itself. */
  readonly name: string;
  /** What the gradient reads besides dy. */
  readonly others: readonly string[];
  /** Elements to a lane. */
  width(xShape: Shape, attributes: A, operands: readonly (Operand | undefined)[]): 1 | 4;
  /** The file that defines `pooled_gradient`, and what it needs. */
  libraries(width: 1 | 4): readonly string[];
  constants(width: 1 | 4): Readonly<Record<string, string>>;
  bindings(others: readonly Operand[]): Readonly<Record<string, Operand>>;
  uniforms(
    attributes: A,
    others: readonly Operand[],
  ): { countPadding: number; indicesOffset: number; indicesStride: number };
}

interface Parts<A> {
  readonly pooling: Pooling<A>;
  readonly context: LaunchContext<Gradient<A>>;
  readonly entry: 'data_gradient' | 'batch_norm_gradient';
  readonly width: 1 | 4;
  readonly x?: Operand;
  readonly bindings?: Readonly<Record<string, Operand>>;
  readonly uniforms: { accumulate: number; low: number; high: number };
}

function launchOf<A extends Pool2dAttributes>(parts: Parts<A>): Launch {
  const { pooling, context, entry, width, x } = parts;
  const { inputs, outputs, attributes, traits } = context;
  const dy = required(inputs[0], `${pooling.name} gradient: dy`);
  const dx = required(outputs[0], `${pooling.name} gradient: dx`);
  const others = pooling.others.map((name, index) => required(inputs[1 + index], `${pooling.name} gradient: ${name}`));
  const grid = gridOf(dx, width, traits, entry === 'batch_norm_gradient');
  return {
    shader: 'pool2d_gradient.wgsl',
    entry,
    libraries: ['lib/rows.wgsl', ...pooling.libraries(width)],
    constants: { T: vectorType(width), ...pooling.constants(width), ...grid.constants },
    bindings: { dy, dx, ...pooling.bindings(others), ...parts.bindings },
    uniforms: {
      ...grid.uniforms,
      ...poolUniforms(dx.shape, dy.shape, attributes),
      ...pooling.uniforms(attributes, others),
      ...placement('x', x ?? dx, width),
      ...placement('y', dy, width),
      ...placement('dx', dx, width),
      ...parts.uniforms,
    },
    workgroups: grid.workgroups,
  };
}

/**
 * Gradient of a pooling, on through the batch normalisation and activation in front of it, whose gradient dz is never
 * stored: dy [N,OH,OW,C] and what else the pooling's gradient reads, x [N,H,W,C] (before the normalisation), affine
 * [4,C] -> dx [N,H,W,C] = scale * dz where the activation passes it, added to `into`, and dweight [2,C] (dgamma, dbeta).
 * In training, dx lacks what batchNormCorrection adds.
 */
function batchNormGradientOf<A extends Pool2dAttributes>(
  pooling: Pooling<A>,
): OpDefinition<PoolBatchNormAttributes<A>> {
  const first = 1 + pooling.others.length;
  const name = `${pooling.name}_batch_norm_gradient`;
  return {
    name,
    inputs: ['dy', ...pooling.others, 'x', 'affine', 'into?'],
    outputs: ['dx', 'dweight'],
    half: { inputs: [0, first], outputs: [0] },
    stridedOutput: true,
    accumulates: first + 2,
    images: { whole: [first + 1], combine: [undefined, summed], attributes: rangeOf },
    shape: (_inputs, { xShape }) => [f32(...xShape), f32(2, channelsOf(xShape))],
    cost: windowCost,
    variants: [
      {
        name: 'rows',
        fits: () => true,
        scratch: ({ attributes, traits }) => {
          const { xShape } = attributes;
          const { chunks } = gridOf(f32(...xShape), pooling.width(xShape, attributes, []), traits, true);
          return [f32(chunks, 2, channelsOf(xShape))];
        },
        launches(context) {
          const { inputs, outputs, scratch, attributes, traits } = context;
          const x = required(inputs[first], `${name}: x`);
          const affine = required(inputs[first + 1], `${name}: affine`);
          const dweight = required(outputs[1], `${name}: dweight`);
          const partials = required(scratch[0], `${name}: partials`);
          const width = pooling.width(x.shape, attributes, [inputs[0], x, affine, outputs[0]]);
          return [
            launchOf({
              pooling,
              context,
              entry: 'batch_norm_gradient',
              width,
              x,
              bindings: { x, affine, partials },
              uniforms: { accumulate: inputs[first + 2] ? 1 : 0, ...activationRange(attributes.activation) },
            }),
            sumPartials(partials, dweight, gridOf(x, width, traits, true).chunks, traits),
          ];
        },
      },
    ],
  };
}

/** Gradient of a pooling, dy [N,OH,OW,C] -> dx [N,H,W,C], and the same through a batch normalisation in front of it. */
export function gradientsOf<A extends Pool2dAttributes>(pooling: Pooling<A>) {
  const batchNormGradient = batchNormGradientOf(pooling);
  const gradient: OpDefinition<Gradient<A>> = {
    name: `${pooling.name}_gradient`,
    inputs: ['dy', ...pooling.others],
    outputs: ['dx'],
    half: { inputs: [0], outputs: [0] },
    stridedOutput: true,
    images: { attributes: rangeOf },
    epilogue: { op: batchNormGradient, fits: () => true },
    shape: (_inputs, { xShape }) => [f32(...xShape)],
    cost: windowCost,
    variants: [
      {
        name: 'rows',
        fits: () => true,
        launches(context) {
          const { inputs, outputs, attributes } = context;
          const width = pooling.width(attributes.xShape, attributes, [inputs[0], outputs[0]]);
          const uniforms = { accumulate: 0, low: 0, high: 0 };
          return [launchOf({ pooling, context, entry: 'data_gradient', width, uniforms })];
        },
      },
    ],
  };
  return { gradient, batchNormGradient };
}
