import { required, ShapeError } from '../base/errors.ts';
import { ceilDivide, elementCount, formatShape } from '../base/shape.ts';
import { f32, type LaunchContext, type OpDefinition } from './definition.ts';
import { bytesOf } from './launch.ts';

export interface BceAttributes {
  /** Weight of the positive class (PyTorch's pos_weight); 1: both count the same. */
  readonly positiveWeight: number;
  /** Factor of the whole loss; default 1. */
  readonly weight?: number;
}

const LANES = 64;

function launch(entry: 'loss' | 'gradient', { inputs, outputs, attributes }: LaunchContext<BceAttributes>) {
  const x = required(inputs[0], 'bce_with_logits: logits');
  const targets = required(inputs[1], 'bce_with_logits: targets');
  const result = required(outputs[0], 'bce_with_logits: result');
  const count = elementCount(x.shape);
  return [
    {
      shader: 'bce_with_logits.wgsl',
      entry,
      constants: { LANES },
      bindings: { x, targets, result },
      uniforms: {
        count,
        xOffset: x.offset,
        targetOffset: targets.offset,
        resultOffset: result.offset,
        positiveWeight: attributes.positiveWeight,
        weight: attributes.weight ?? 1,
      },
      workgroups: [entry === 'loss' ? 1 : ceilDivide(count, LANES), 1, 1] as [number, number, number],
    },
  ];
}

/** Mean binary cross-entropy of logits: logits of N elements, targets [N] of 0 and 1 -> loss [1]. */
export const bceWithLogits: OpDefinition<BceAttributes> = {
  name: 'bce_with_logits',
  inputs: ['logits', 'targets'],
  outputs: ['loss'],
  shape([logits, targets]) {
    if (elementCount(logits?.shape ?? []) !== elementCount(targets?.shape ?? [])) {
      throw new ShapeError(
        `bce_with_logits: logits ${formatShape(logits?.shape ?? [])} and targets ` +
          `${formatShape(targets?.shape ?? [])} differ in their number of elements`,
      );
    }
    return [f32(1)];
  },
  cost: ({ inputs }) => ({ flops: 10 * elementCount(inputs[0]?.shape ?? []), bytes: bytesOf(...inputs) }),
  variants: [{ name: 'serial', fits: () => true, launches: (context) => launch('loss', context) }],
  backward({ inputs: [logits, targets], attributes, emit }) {
    return [emit(bceWithLogitsGradient, [logits, targets], attributes)[0], undefined];
  },
};

/** Gradient of the mean binary cross-entropy (the loss is the end of the graph, so its own gradient is 1). */
export const bceWithLogitsGradient: OpDefinition<BceAttributes> = {
  name: 'bce_with_logits_gradient',
  inputs: ['logits', 'targets'],
  outputs: ['dlogits'],
  shape: ([logits]) => [required(logits, 'bce_with_logits_gradient: logits')],
  cost: ({ inputs }) => ({ flops: 10 * elementCount(inputs[0]?.shape ?? []), bytes: bytesOf(...inputs) }),
  variants: [{ name: 'logits', fits: () => true, launches: (context) => launch('gradient', context) }],
};
