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
  const [, , weights] = inputs;
  const count = elementCount(x.shape);
  const scaler = entry === 'gradient' ? inputs[3] : undefined;
  return [
    {
      shader: 'bce_with_logits.wgsl',
      entry,
      libraries: [scaler ? 'lib/loss_scale.wgsl' : 'lib/loss_scale_none.wgsl'],
      constants: { LANES, WEIGHTED: String(weights !== undefined) },
      // Every binding needs a buffer, used or not.
      bindings: { x, targets, result, weights: weights ?? targets, ...(scaler ? { scaler } : {}) },
      uniforms: {
        count,
        xOffset: x.offset,
        targetOffset: targets.offset,
        resultOffset: result.offset,
        positiveWeight: attributes.positiveWeight,
        weight: attributes.weight ?? 1,
        weightsOffset: weights?.offset ?? 0,
      },
      workgroups: [entry === 'loss' ? 1 : ceilDivide(count, LANES), 1, 1] as [number, number, number],
    },
  ];
}

/**
 * Mean binary cross-entropy of logits: logits of N elements, targets [N] of 0 and 1 -> loss [1]. `weights` [N]: how much
 * each counts; the mean is still over N, as PyTorch's binary_cross_entropy_with_logits takes it. With
 * `scaler`, the state of grad_scaler, gradients are those of the loss times its scale.
 */
export const bceWithLogits: OpDefinition<BceAttributes> = {
  name: 'bce_with_logits',
  inputs: ['logits', 'targets', 'weights?', 'scaler?'],
  outputs: ['loss'],
  shape([logits, targets, weights]) {
    const count = elementCount(logits?.shape ?? []);
    for (const [name, other] of Object.entries({ targets, weights })) {
      if (name === 'weights' && !other) continue;
      if (elementCount(other?.shape ?? []) === count) continue;
      throw new ShapeError(
        `bce_with_logits: logits ${formatShape(logits?.shape ?? [])} and ${name} ` +
          `${formatShape(other?.shape ?? [])} differ in their number of elements`,
      );
    }
    return [f32(1)];
  },
  cost: ({ inputs }) => ({ flops: 10 * elementCount(inputs[0]?.shape ?? []), bytes: bytesOf(...inputs) }),
  variants: [{ name: 'serial', fits: () => true, launches: (context) => launch('loss', context) }],
  backward({ inputs: [logits, targets, weights, scaler], attributes, emit }) {
    return [
      emit(bceWithLogitsGradient, [logits, targets, weights, scaler], attributes)[0],
      undefined,
      undefined,
      undefined,
    ];
  },
};

/** Gradient of the mean binary cross-entropy (the loss is the end of the graph, so its own gradient is 1). */
export const bceWithLogitsGradient: OpDefinition<BceAttributes> = {
  name: 'bce_with_logits_gradient',
  inputs: ['logits', 'targets', 'weights?', 'scaler?'],
  outputs: ['dlogits'],
  shape: ([logits]) => [required(logits, 'bce_with_logits_gradient: logits')],
  cost: ({ inputs }) => ({ flops: 10 * elementCount(inputs[0]?.shape ?? []), bytes: bytesOf(...inputs) }),
  variants: [{ name: 'logits', fits: () => true, launches: (context) => launch('gradient', context) }],
};
