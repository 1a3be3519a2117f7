import { UserError } from '../base/errors.ts';
import type { Model } from '../models/model.ts';
import type { RunProgress } from './run-state.ts';

/** The first tensor of a model's state that holds NaN or infinity: a ReLU may hide it from the loss for a while. */
export async function firstNotFinite({ parameters, statistics }: Model): Promise<string | undefined> {
  for (const arena of [parameters, statistics]) {
    for (const [name, values] of await arena.read()) if (!values.every(Number.isFinite)) return name;
  }
  return undefined;
}

/** The error of a run that has run away; `what` such as `the loss became NaN`, `before`: the progress that is saved. */
export function diverged(what: string, before: RunProgress): UserError {
  const kept = before.epoch > 0 ? `the run folder keeps epoch ${before.epoch}` : 'no epoch is saved yet';
  const rate = before.schedule.learningRate;
  return new UserError(
    `${what} in epoch ${before.epoch + 1} at learning rate ${rate}: ${kept}; go on with --resume and a lower --lr`,
  );
}
