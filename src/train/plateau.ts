/** Options of ReduceLROnPlateau, in mode `min` with a relative threshold. */
export interface PlateauOptions {
  /** The rate is multiplied by this, in (0, 1). */
  readonly factor: number;
  /** Epochs without improvement that are borne; the next one cuts the rate. */
  readonly patience: number;
  /** An improvement is a loss below best * (1 - threshold). */
  readonly threshold: number;
  /** Epochs after a cut in which bad epochs are not counted. */
  readonly cooldown: number;
  readonly minLearningRate: number;
  /** A cut of at most this is not made: from 1e-4 the rate stops at 1e-8. */
  readonly epsilon: number;
}

/** PyTorch's defaults. */
export const PLATEAU_DEFAULTS: PlateauOptions = {
  factor: 0.1,
  patience: 10,
  threshold: 1e-4,
  cooldown: 0,
  minLearningRate: 0,
  epsilon: 1e-8,
};

/** All that the schedule remembers between epochs: plain JSON, part of a run's saved state. */
export interface PlateauState {
  readonly learningRate: number;
  /** Lowest loss that counted as an improvement; null before the first. */
  readonly best: number | null;
  readonly badEpochs: number;
  readonly cooldownLeft: number;
}

/** The state before the first epoch. */
export function plateauStart(learningRate: number): PlateauState {
  return { learningRate, best: null, badEpochs: 0, cooldownLeft: 0 };
}

/**
 * The state after an epoch with validation loss `loss`: torch.optim.lr_scheduler.ReduceLROnPlateau.step. A loss that is
 * NaN or infinite is no improvement.
 */
export function plateauStep(
  state: PlateauState,
  loss: number,
  options: PlateauOptions = PLATEAU_DEFAULTS,
): PlateauState {
  const limit = state.best === null ? Number.POSITIVE_INFINITY : state.best * (1 - options.threshold);
  const improved = loss < limit;
  const cooling = state.cooldownLeft > 0;
  const badEpochs = improved || cooling ? 0 : state.badEpochs + 1;
  const best = improved ? loss : state.best;
  if (badEpochs <= options.patience) {
    return { ...state, best, badEpochs, cooldownLeft: cooling ? state.cooldownLeft - 1 : 0 };
  }
  const lower = Math.max(state.learningRate * options.factor, options.minLearningRate);
  const learningRate = state.learningRate - lower > options.epsilon ? lower : state.learningRate;
  return { learningRate, best, badEpochs: 0, cooldownLeft: options.cooldown };
}
