import type { UserError } from '../base/errors.ts';
import { type Batch, readAhead, trainingOrder } from '../data/batches.ts';
import type { PackedSplit } from '../data/packed.ts';
import type { Pending } from '../gpu/readback.ts';
import type { Inference } from '../models/inference.ts';
import type { Model } from '../models/model.ts';
import { diverged, firstNotFinite } from './diverged.ts';
import { levels } from './metrics.ts';
import { PLATEAU_DEFAULTS, plateauStart, plateauStep } from './plateau.ts';
import { predictSplit, type SplitPredictions } from './predict-split.ts';
import { type EpochMetrics, isBest, type RunProgress } from './run-state.ts';
import type { TrainingBatch, TrainingStep } from './step.ts';

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
  /** Ends after so many epochs without a better one, by the measure `best`. */
  readonly earlyStop: number | undefined;
  /** The first epochs, in which a part of the weights is frozen and which are not counted for that; default: 0. */
  readonly frozenEpochs?: number | undefined;
  /** Saves within an epoch, each time so many seconds have gone by since the last save. */
  readonly saveSeconds: number;
}

/** What the loop tells while it runs; `save` is awaited. */
export interface LoopEvents {
  /** Before an epoch's first step, with 0 images, and after each; `loss` is the mean over the epoch's steps so far. */
  onStep?(at: { epoch: number; done: number; images: number; loss: number }): void;
  onValidation?(done: number, total: number): void;
  /** After an epoch is saved. */
  onEpoch?(progress: RunProgress, improved: boolean): void;
  /** After each epoch, now and then within one, and where the run stops there. */
  save(progress: RunProgress): Promise<void>;
}

export interface LoopParts {
  readonly model: Model;
  readonly step: TrainingStep;
  readonly inference: Inference;
  readonly train: PackedSplit;
  readonly valid: PackedSplit;
  /** How much each training image counts, in the split's order; default: all the same. */
  readonly imageWeights?: Float32Array | undefined;
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
  askedRate: learningRate,
  best: null,
  history: [],
});

/** What decides whether a run ends early. */
export type Stopping = Pick<LoopOptions, 'epochs' | 'earlyStop' | 'frozenEpochs'>;

/** Whether a run ended before its last epoch because no epoch became better for too long. */
export const isStoppedEarly = (
  { epoch, best }: RunProgress,
  { epochs, earlyStop, frozenEpochs = 0 }: Stopping,
): boolean =>
  earlyStop !== undefined && best !== null && epoch < epochs && epoch - Math.max(best.epoch, frozenEpochs) >= earlyStop;

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
  const keep = keeper(parts, options, start, events);
  let progress = start;
  while (progress.epoch < options.epochs && !isStoppedEarly(progress, options) && !stepsUsedUp(parts, options)) {
    const epoch = await runEpoch(parts, options, progress, { events, keep });
    const { done } = epoch;
    const validation = epoch.complete ? await validate(parts, events) : undefined;
    if (!validation) {
      const stopped = { ...progress, ...done };
      await keep.save(stopped);
      parts.signal.throwIfAborted();
      return stopped;
    }
    if (!Number.isFinite(validation.loss)) throw keep.diverged(`the validation loss became ${validation.loss}`);
    const metrics: EpochMetrics = {
      epoch: progress.epoch + 1,
      train_loss: done.lossSum / Math.max(1, done.batch),
      valid_loss: validation.loss,
      learning_rate: progress.schedule.learningRate,
      images_per_s: done.images / Math.max(done.seconds, 1e-9),
      train_images: done.images,
      ...levels(validation.predictions),
    };
    progress = afterEpoch(progress, metrics, options);
    await keep.save(progress);
    events.onEpoch?.(progress, isBest(progress));
    if (progress.epoch < options.epochs) parts.signal.throwIfAborted();
  }
  return progress;
}

/** Saves what is finite, and knows what is saved. */
interface Keeper {
  save(progress: RunProgress): Promise<void>;
  /** Whether the last save, or the start, is long enough ago for one within an epoch. */
  isDue(): boolean;
  /** The error of a run that has run away since the last save. */
  diverged(what: string): UserError;
}

function keeper(
  { model, now }: LoopParts,
  { saveSeconds }: LoopOptions,
  start: RunProgress,
  events: LoopEvents,
): Keeper {
  let saved = start;
  let at = now();
  const keep: Keeper = {
    async save(progress) {
      const broken = await firstNotFinite(model);
      if (broken) throw keep.diverged(`${broken} is no longer finite`);
      await events.save(progress);
      saved = progress;
      at = now();
    },
    isDue: () => now() - at >= saveSeconds,
    diverged: (what) => diverged(what, saved),
  };
  return keep;
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
  { events, keep }: { events: LoopEvents; keep: Keeper },
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
    if (!Number.isFinite(loss)) throw keep.diverged(`the loss of step ${read} of epoch ${epoch} became ${loss}`);
    lossSum += loss;
    tell();
  };
  const began = now();
  let paused = 0;
  const done = () => {
    const seconds = progress.seconds + now() - began - paused;
    return { batch, lossSum, seconds, images: progress.images + (batch - progress.batch) * step.batchSize };
  };
  tell();
  for await (const next of readAhead(train, order.slice(batch), step.batchSize, augmentation)) {
    if (signal.aborted || stepsUsedUp(parts, options)) break;
    pending.push(await step.run(weighed(next, parts.imageWeights), progress.schedule.learningRate));
    batch++;
    if (pending.length > LATE) await collect();
    if (keep.isDue() && batch < order.length) {
      while (pending.length > 0) await collect();
      const before = now();
      await keep.save({ ...progress, ...done() });
      paused += now() - before;
    }
    // Signals and timers are handled here even where the GPU answers at once.
    await new Promise((resolve) => setTimeout(resolve));
  }
  while (pending.length > 0) await collect();
  return { done: done(), complete: batch === order.length };
}

/** A batch with the weights of its images. */
const weighed = (batch: Batch, weights: Float32Array | undefined): TrainingBatch =>
  weights ? { ...batch, weights: Float32Array.from(batch.images, (image) => weights[image] as number) } : batch;

function afterEpoch(progress: RunProgress, metrics: EpochMetrics, options: LoopOptions): RunProgress {
  const value = options.best === 'loss' ? -metrics.valid_loss : (metrics.studies.kappa ?? -1);
  const improved = progress.best === null || value > progress.best.value;
  return {
    ...progress,
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
