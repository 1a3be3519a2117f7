import { UserError } from '../base/errors.ts';
import { BatchWriter, trainingOrder } from '../data/batches.ts';
import type { PackedSplit } from '../data/packed.ts';
import type { Pending } from '../gpu/readback.ts';
import type { Inference } from '../models/inference.ts';
import type { Model } from '../models/model.ts';
import { levels } from './metrics.ts';
import { PLATEAU_DEFAULTS, plateauStart, plateauStep } from './plateau.ts';
import { predictSplit } from './predict-split.ts';
import type { EpochMetrics, RunProgress } from './run-state.ts';
import type { TrainingStep } from './step.ts';

/** Losses are read this many steps late, so that the GPU never waits for the host. */
const LATE = 2;

export interface LoopOptions {
  readonly epochs: number;
  readonly learningRate: number;
  readonly seed: number;
  /** Largest rotation in degrees; undefined: no augmentation at all. */
  readonly maxRotation: number | undefined;
  readonly plateauPatience: number;
  /** What chooses the best epoch: the lowest validation loss or the highest kappa of studies. */
  readonly best: 'loss' | 'kappa';
  /** Ends after so many optimiser steps. */
  readonly maxSteps: number | undefined;
}

/** What the loop tells while it runs; `save` is awaited. */
export interface LoopEvents {
  onStep?(progress: { epoch: number; batch: number; batches: number; images: number; loss: number }): void;
  onValidation?(done: number, total: number): void;
  /** After each epoch, and where the run is interrupted; `improved`: the model is the best so far. */
  save(progress: RunProgress, improved: boolean): Promise<void>;
}

export interface LoopParts {
  readonly model: Model;
  readonly step: TrainingStep;
  readonly inference: Inference;
  readonly train: PackedSplit;
  readonly valid: PackedSplit;
  readonly signal: AbortSignal;
  /** Seconds; any origin. */
  readonly now: () => number;
}

/** The progress of a run that has not begun. */
export const startOfRun = (learningRate: number): RunProgress => ({
  epoch: 0,
  batch: 0,
  lossSum: 0,
  schedule: plateauStart(learningRate),
  best: null,
  history: [],
});

/** Trains from `start` to the end, epoch by epoch; throws the signal's reason after saving where it is interrupted. */
export async function trainLoop(
  parts: LoopParts,
  options: LoopOptions,
  start: RunProgress,
  events: LoopEvents,
): Promise<RunProgress> {
  let progress = start;
  while (progress.epoch < options.epochs && !stepsUsedUp(parts, options)) {
    const began = parts.now();
    const stepsBefore = parts.step.adam.steps;
    const epoch = await runEpoch(parts, options, progress, events);
    const seconds = parts.now() - began;
    const images = (parts.step.adam.steps - stepsBefore) * parts.step.batchSize;
    if (parts.signal.aborted) {
      await events.save({ ...progress, ...epoch }, false);
      throw parts.signal.reason;
    }
    const validation = await predictSplit(parts.inference, parts.valid, events.onValidation);
    const metrics: EpochMetrics = {
      epoch: progress.epoch + 1,
      train_loss: epoch.lossSum / Math.max(1, epoch.batch),
      valid_loss: validation.loss,
      learning_rate: progress.schedule.learningRate,
      images_per_s: images / Math.max(seconds, 1e-9),
      ...levels(validation.predictions),
    };
    const next = afterEpoch(progress, metrics, options);
    await events.save(next, next.best !== progress.best);
    progress = next;
  }
  return progress;
}

const stepsUsedUp = ({ step }: LoopParts, { maxSteps }: LoopOptions): boolean =>
  maxSteps !== undefined && step.adam.steps >= maxSteps;

/** The training batches of one epoch from where it stands; ends early where the run is interrupted or out of steps. */
async function runEpoch(
  parts: LoopParts,
  options: LoopOptions,
  progress: RunProgress,
  events: LoopEvents,
): Promise<{ batch: number; lossSum: number }> {
  const { step, train, signal } = parts;
  const { seed, maxRotation } = options;
  const epoch = progress.epoch + 1;
  const order = trainingOrder(train.split.images.length, step.batchSize, seed, epoch);
  const writer = new BatchWriter(train, step.batchSize);
  const augmentation = maxRotation === undefined ? undefined : { seed, epoch, maxRotation };
  const pending: Pending[] = [];
  let { batch, lossSum } = progress;
  let read = batch;
  const collect = async () => {
    const loss = new Float32Array(await (pending.shift() as Pending).value)[0] as number;
    read++;
    if (!Number.isFinite(loss)) throw diverged(epoch, read, loss, progress.schedule.learningRate);
    lossSum += loss;
    events.onStep?.({ epoch, batch: read, batches: order.length, images: read * step.batchSize, loss });
  };
  while (batch < order.length && !signal.aborted && !stepsUsedUp(parts, options)) {
    const written = writer.write(order[batch] as Uint32Array, augmentation);
    pending.push(await step.run(written, progress.schedule.learningRate));
    batch++;
    if (pending.length > LATE) await collect();
    // Signals and timers are handled here even where the GPU answers at once.
    await new Promise((resolve) => setTimeout(resolve));
  }
  while (pending.length > 0) await collect();
  return { batch, lossSum };
}

function afterEpoch(progress: RunProgress, metrics: EpochMetrics, options: LoopOptions): RunProgress {
  const value = options.best === 'loss' ? -metrics.valid_loss : (metrics.studies.kappa ?? -1);
  const improved = progress.best === null || value > progress.best.value;
  return {
    epoch: metrics.epoch,
    batch: 0,
    lossSum: 0,
    schedule: plateauStep(progress.schedule, metrics.valid_loss, {
      ...PLATEAU_DEFAULTS,
      patience: options.plateauPatience,
    }),
    best: improved ? { epoch: metrics.epoch, value } : progress.best,
    history: [...progress.history, metrics],
  };
}

const diverged = (epoch: number, batch: number, loss: number, rate: number): UserError =>
  new UserError(
    `the loss became ${loss} in epoch ${epoch}, step ${batch}, at learning rate ${rate}: the run folder keeps the last ` +
      'good epoch; resume it with a lower --lr',
  );
