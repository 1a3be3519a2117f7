import { readAhead, trainingOrder } from '../data/batches.ts';
import type { PackedSplit } from '../data/packed.ts';
import type { Pending } from '../gpu/readback.ts';
import type { Inference } from '../models/inference.ts';
import type { Model } from '../models/model.ts';
import { diverged, firstNotFinite } from './diverged.ts';
import { levels } from './metrics.ts';
import { PLATEAU_DEFAULTS, plateauStart, plateauStep } from './plateau.ts';
import { predictSplit, type SplitPredictions } from './predict-split.ts';
import type { EpochMetrics, RunProgress } from './run-state.ts';
import type { TrainingStep } from './step.ts';

/** Losses are read this many steps late, so that the GPU never waits for the host. */
const LATE = 2;

export interface LoopOptions {
  readonly epochs: number;
  readonly seed: number;
  /** Largest rotation in degrees; undefined: no augmentation at all. */
  readonly maxRotation: number | undefined;
  readonly plateauPatience: number;
  /** What chooses the best epoch: the lowest validation loss or the highest kappa of studies. */
  readonly best: 'loss' | 'kappa';
  /** Ends after so many optimiser steps, counted from the run's first. */
  readonly maxSteps: number | undefined;
}

/** What the loop tells while it runs; `save` is awaited. */
export interface LoopEvents {
  /** Before an epoch's first step, with 0 images, and after each; `loss` is the mean over the epoch's steps so far. */
  onStep?(at: { epoch: number; done: number; images: number; loss: number }): void;
  onValidation?(done: number, total: number): void;
  /** After an epoch is saved. */
  onEpoch?(progress: RunProgress, improved: boolean): void;
  /** After each epoch, and where the run stops within one; `improved`: the model is the best so far. */
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

/** An epoch of which no batch is done. */
const NO_BATCHES = { batch: 0, lossSum: 0, seconds: 0, images: 0 };

/** The progress of a run that has not begun. */
export const startOfRun = (learningRate: number): RunProgress => ({
  epoch: 0,
  ...NO_BATCHES,
  schedule: plateauStart(learningRate),
  best: null,
  history: [],
});

/**
 * Trains from `start` to the end, epoch by epoch, and returns where it ended: within an epoch where the steps are used up
 * there. Where it is interrupted it saves and throws the signal's reason. A loss or weights that are not finite are a
 * UserError; nothing is saved then.
 */
export async function trainLoop(
  parts: LoopParts,
  options: LoopOptions,
  start: RunProgress,
  events: LoopEvents,
): Promise<RunProgress> {
  const save = async (progress: RunProgress, before: RunProgress) => {
    const broken = await firstNotFinite(parts.model);
    if (broken) throw diverged(`${broken} is no longer finite`, before);
    await events.save(progress, progress.best !== before.best);
  };
  let progress = start;
  while (progress.epoch < options.epochs && !stepsUsedUp(parts, options)) {
    const epoch = await runEpoch(parts, options, progress, events);
    const { done } = epoch;
    const validation = epoch.complete ? await validate(parts, events) : undefined;
    if (!validation) {
      const stopped = { ...progress, ...done };
      await save(stopped, progress);
      parts.signal.throwIfAborted();
      return stopped;
    }
    if (!Number.isFinite(validation.loss)) throw diverged(`the validation loss became ${validation.loss}`, progress);
    const metrics: EpochMetrics = {
      epoch: progress.epoch + 1,
      train_loss: done.lossSum / Math.max(1, done.batch),
      valid_loss: validation.loss,
      learning_rate: progress.schedule.learningRate,
      images_per_s: done.images / Math.max(done.seconds, 1e-9),
      ...levels(validation.predictions),
    };
    const next = afterEpoch(progress, metrics, options);
    await save(next, progress);
    events.onEpoch?.(next, next.best !== progress.best);
    progress = next;
    if (progress.epoch < options.epochs) parts.signal.throwIfAborted();
  }
  return progress;
}

/** What the network says of the validation split; undefined where the run is interrupted. */
async function validate(
  { inference, valid, signal }: LoopParts,
  events: LoopEvents,
): Promise<SplitPredictions | undefined> {
  try {
    return await predictSplit(inference, valid, events.onValidation, signal);
  } catch (error) {
    if (error === signal.reason) return undefined;
    throw error;
  }
}

const stepsUsedUp = ({ step }: LoopParts, { maxSteps }: LoopOptions): boolean =>
  maxSteps !== undefined && step.adam.steps >= maxSteps;

interface EpochPart {
  /** What is done of the epoch, earlier parts of it too. */
  readonly done: Pick<RunProgress, 'batch' | 'lossSum' | 'seconds' | 'images'>;
  /** False where the run was interrupted or out of steps before the last batch. */
  readonly complete: boolean;
}

/** The training batches of one epoch from where it stands; ends early where the run is interrupted or out of steps. */
async function runEpoch(
  parts: LoopParts,
  options: LoopOptions,
  progress: RunProgress,
  events: LoopEvents,
): Promise<EpochPart> {
  const { step, train, signal, now } = parts;
  const { seed, maxRotation } = options;
  const epoch = progress.epoch + 1;
  const order = trainingOrder(train.split.images.length, step.batchSize, seed, epoch);
  const images = order.reduce((sum, batch) => sum + batch.length, 0);
  const augmentation = maxRotation === undefined ? undefined : { seed, epoch, maxRotation };
  const pending: Pending[] = [];
  let { batch, lossSum } = progress;
  let read = batch;
  const tell = () =>
    events.onStep?.({ epoch, done: read * step.batchSize, images, loss: read === 0 ? 0 : lossSum / read });
  const collect = async () => {
    const loss = new Float32Array(await (pending.shift() as Pending).value)[0] as number;
    read++;
    if (!Number.isFinite(loss)) throw diverged(`the loss of step ${read} became ${loss}`, progress);
    lossSum += loss;
    tell();
  };
  const began = now();
  tell();
  for await (const next of readAhead(train, order.slice(batch), step.batchSize, augmentation)) {
    if (signal.aborted || stepsUsedUp(parts, options)) break;
    pending.push(await step.run(next, progress.schedule.learningRate));
    batch++;
    if (pending.length > LATE) await collect();
    // Signals and timers are handled here even where the GPU answers at once.
    await new Promise((resolve) => setTimeout(resolve));
  }
  while (pending.length > 0) await collect();
  const seconds = progress.seconds + now() - began;
  const trained = progress.images + (batch - progress.batch) * step.batchSize;
  return { done: { batch, lossSum, seconds, images: trained }, complete: batch === order.length };
}

function afterEpoch(progress: RunProgress, metrics: EpochMetrics, options: LoopOptions): RunProgress {
  const value = options.best === 'loss' ? -metrics.valid_loss : (metrics.studies.kappa ?? -1);
  const improved = progress.best === null || value > progress.best.value;
  return {
    epoch: metrics.epoch,
    ...NO_BATCHES,
    schedule: plateauStep(progress.schedule, metrics.valid_loss, {
      ...PLATEAU_DEFAULTS,
      patience: options.plateauPatience,
    }),
    best: improved ? { epoch: metrics.epoch, value } : progress.best,
    history: [...progress.history, metrics],
  };
}
