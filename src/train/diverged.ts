import { UserError } from '../base/errors.ts';
import type { Model } from '../models/model.ts';
import { type RunProgress, whereItStands } from './run-state.ts';

/** The first tensor of a model's state that holds NaN or infinity: a ReLU may hide it from the loss for a while. */
export async function firstNotFinite({ parameters, statistics }: Model): Promise<string | undefined> {
  for (const arena of [parameters, statistics]) {
    for (const [name, values] of await arena.read()) if (!values.every(Number.isFinite)) return name;
  }
  return undefined;
}

/** The error of a run that has run away; `what` such as `the loss of step 7 of epoch 2 became NaN`, `saved`: what is kept. */
export function diverged(what: string, saved: RunProgress): UserError {
  const stands = whereItStands(saved);
  const kept = stands ? `the run folder keeps ${stands}` : 'nothing is saved yet';
  return new UserError(
    `${what} at learning rate ${saved.schedule.learningRate}: ${kept}; go on with --resume and a lower --lr`,
  );
}
