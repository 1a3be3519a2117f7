import { required } from '../base/errors.ts';
import { STEP_WORDS } from './adam.ts';
import { f32, type OpDefinition } from './definition.ts';
import { bytesOf } from './launch.ts';

/** torch.amp.GradScaler's scale in front of the first step. */
export const INITIAL_SCALE = 65536;

/** Elements of the scaler's state: the loss scale, good steps in a row, Adam's steps in all. */
export const SCALER_ELEMENTS = 3;

/** Words of an attempted step: number (u32, for dropout), learning rate, log beta1, log beta2, 1 - beta1, 1 - beta2, epsilon (f32). */
export const ATTEMPT_WORDS = 7;

export interface GradScalerAttributes {
  /** Good steps in a row after which the scale is doubled; PyTorch's default is 2000. */
  readonly growthInterval: number;
}

/**
 * Dynamic loss scaling, as torch.amp.GradScaler's step and update: `state` [3] (see SCALER_ELEMENTS) is updated in place
 * from nonfinite (u32 [1]: how many gradients overflowed) and the attempt (see ATTEMPT_WORDS) -> update [STEP_WORDS], the
 * words that Adam takes: those of its next step, or to leave everything as it is.
 */
export const gradScaler: OpDefinition<GradScalerAttributes> = {
  name: 'grad_scaler',
  inputs: ['state', 'nonfinite', 'attempt'],
  outputs: ['update'],
  mutates: [0],
  shape: () => [f32(STEP_WORDS)],
  cost: ({ inputs, outputs }) => ({ flops: 40, bytes: bytesOf(...inputs, ...outputs) }),
  variants: [
    {
      name: 'serial',
      fits: () => true,
      launches({ inputs, outputs, attributes: { growthInterval } }) {
        const state = required(inputs[0], 'grad_scaler: state');
        const nonfinite = required(inputs[1], 'grad_scaler: nonfinite');
        const attempt = required(inputs[2], 'grad_scaler: attempt');
        const update = required(outputs[0], 'grad_scaler: update');
        return [
          {
            shader: 'grad_scaler.wgsl',
            entry: 'grad_scaler',
            bindings: { state, nonfinite, attempt, update },
            uniforms: { stateOffset: state.offset, growthInterval },
            workgroups: [1, 1, 1],
          },
        ];
      },
    },
  ],
};
