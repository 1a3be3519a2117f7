import { required, ShapeError, UserError } from '../base/errors.ts';
import { elementCount, formatShape, sameShape, type TensorType } from '../base/shape.ts';
import type { AdapterTraits } from '../base/traits.ts';
import { type Activation, activationRange } from './activation.ts';
import { type Combine, f32, type Launch, type OpDefinition, type Operand } from './definition.ts';
import { bytesOf, gridOf, placement, vectorType, vectorWidth } from './launch.ts';

type Entry = 'copy' | 'add' | 'activate' | 'activate_gradient' | 'drop';

interface ElementwiseOperands {
  readonly a?: Operand | undefined;
  readonly b?: Operand | undefined;
  readonly y: Operand;
  readonly step?: Operand;
}

const NOWHERE = { offset: 0, stride: 0 };

function elementwise(
  entry: Entry,
  operands: ElementwiseOperands,
  traits: AdapterTraits,
  values: { low?: number; high?: number; probability?: number; seed?: number; first?: number } = {},
): Launch {
  const { a, b, y } = operands;
  // A random number belongs to one element, so dropout counts in elements on every adapter.
  const width = entry === 'drop' ? 1 : vectorWidth(a, b, y);
  const grid = gridOf(y, width, traits);
  const bindings = Object.fromEntries(Object.entries(operands).filter(([, operand]) => operand));
  return {
    shader: 'elementwise.wgsl',
    entry,
    libraries: ['lib/rows.wgsl'],
    constants: { T: vectorType(width), ...grid.constants },
    bindings,
    uniforms: {
      ...grid.uniforms,
      ...placement('a', { ...y, ...(a ?? NOWHERE) }, width),
      ...placement('b', { ...y, ...(b ?? NOWHERE) }, width),
      ...placement('y', y, width),
      low: 0,
      high: 0,
      probability: 0,
      seed: 0,
      first: 0,
      ...values,
    },
    workgroups: grid.workgroups,
  };
}

const movedOnce = ({
  inputs,
  outputs,
}: {
  inputs: readonly (TensorType | undefined)[];
  outputs: readonly TensorType[];
}) => ({
  flops: elementCount(outputs[0]?.shape ?? []),
  bytes: bytesOf(...inputs, ...outputs),
});

/** A copy, into a slice of a wider map where the planner wants it there: x -> y of the same shape. */
export const copy: OpDefinition<Record<never, never>> = {
  name: 'copy',
  inputs: ['x'],
  outputs: ['y'],
  half: { inputs: [0], outputs: [0] },
  stridedOutput: true,
  images: {},
  shape: ([x]) => [required(x, 'copy: x')],
  cost: movedOnce,
  variants: [
    {
      name: 'rows',
      fits: () => true,
      launches: ({ inputs, outputs: [y], traits }) => [
        elementwise('copy', { a: required(inputs[0], 'copy: x'), y: required(y, 'copy: y') }, traits),
      ],
    },
  ],
};

/** Sum of two tensors of one shape. */
export const add: OpDefinition<Record<never, never>> = {
  name: 'add',
  inputs: ['a', 'b'],
  outputs: ['y'],
  half: { inputs: [0, 1], outputs: [0] },
  stridedOutput: true,
  images: {},
  shape([a, b]) {
    if (!a || !b || !sameShape(a.shape, b.shape)) {
      throw new ShapeError(
        `add: operands differ in shape (a ${formatShape(a?.shape ?? [])}, b ${formatShape(b?.shape ?? [])})`,
      );
    }
    return [f32(...a.shape)];
  },
  cost: movedOnce,
  variants: [
    {
      name: 'rows',
      fits: () => true,
      launches: ({ inputs: [a, b], outputs: [y], traits }) => [
        elementwise('add', { a, b, y: required(y, 'add: y') }, traits),
      ],
    },
  ],
  backward: ({ gradients: [dy] }) => [dy, dy],
};

/** The results of ranges of images are added up. */
export const summed: Combine = () => ({ op: add, attributes: {} });

export interface ActivationAttributes {
  readonly activation: Activation;
}

/** ReLU or ReLU6: x -> y of the same shape. */
export const activate: OpDefinition<ActivationAttributes> = {
  name: 'activation',
  inputs: ['x'],
  outputs: ['y'],
  half: { inputs: [0], outputs: [0] },
  stridedOutput: true,
  images: {},
  shape: ([x]) => [required(x, 'activation: x')],
  cost: movedOnce,
  variants: [
    {
      name: 'rows',
      fits: () => true,
      launches: ({ inputs: [a], outputs: [y], attributes, traits }) => [
        elementwise('activate', { a, y: required(y, 'activation: y') }, traits, activationRange(attributes.activation)),
      ],
    },
  ],
  backward({ outputs: [y], gradients: [dy], attributes, emit }) {
    return y && dy ? emit(activateGradient, [y, dy], attributes) : [];
  },
};

/**
 * Gradient of an activation: its input or output and dy -> dx. An activation clamps, so that both lie strictly inside its
 * range at the same places; of the two, the output is what the next layer keeps anyway.
 */
export const activateGradient: OpDefinition<ActivationAttributes> = {
  name: 'activation_gradient',
  inputs: ['x', 'dy'],
  outputs: ['dx'],
  half: { inputs: [0, 1], outputs: [0] },
  stridedOutput: true,
  images: {},
  shape: ([x]) => [required(x, 'activation_gradient: x')],
  cost: movedOnce,
  variants: [
    {
      name: 'rows',
      fits: () => true,
      launches: ({ inputs: [a, b], outputs: [y], attributes, traits }) => [
        elementwise(
          'activate_gradient',
          { a, b, y: required(y, 'activation_gradient: dx') },
          traits,
          activationRange(attributes.activation),
        ),
      ],
    },
  ],
};

export interface DropoutAttributes {
  /** Share of the elements that become 0; the others are divided by 1 - probability. */
  readonly probability: number;
  /** Tells this layer's random numbers from other layers'. */
  readonly seed: number;
  /** Where x begins in the tensor whose elements the random numbers belong to, in elements; default 0. */
  readonly first?: number;
}

/** Dropout in training: x and step (u32 [1], the number of the training step) -> y. Backward draws the same mask. */
export const dropout: OpDefinition<DropoutAttributes> = {
  name: 'dropout',
  inputs: ['x', 'step'],
  outputs: ['y'],
  half: { inputs: [0], outputs: [0] },
  stridedOutput: true,
  images: {
    whole: [1],
    attributes: (attributes, { first }, [x]) => ({
      ...attributes,
      first: (attributes.first ?? 0) + first * elementCount(x?.shape.slice(1) ?? []),
    }),
  },
  shape([x], { probability }) {
    if (!(probability >= 0 && probability < 1)) {
      throw new UserError(`dropout: probability must be at least 0 and less than 1, got ${probability}`);
    }
    return [required(x, 'dropout: x')];
  },
  cost: movedOnce,
  variants: [
    {
      name: 'rows',
      fits: () => true,
      launches: ({ inputs: [a, step], outputs: [y], attributes, traits }) => [
        elementwise('drop', { a, y: required(y, 'dropout: y'), step: required(step, 'dropout: step') }, traits, {
          probability: attributes.probability,
          seed: attributes.seed,
          first: attributes.first ?? 0,
        }),
      ],
    },
  ],
  backward({ inputs: [, step], gradients: [dy], attributes, emit }) {
    return dy ? [emit(dropout, [dy, step], attributes)[0], undefined] : [];
  },
};
