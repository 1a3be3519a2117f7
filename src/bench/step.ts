import type { Device } from '../gpu/device.ts';
import type { Pending } from '../gpu/readback.ts';
import { type Choices, NO_CHOICES } from '../graph/choices.ts';
import type { PassName } from '../graph/passes/index.ts';
import type { Program } from '../graph/program.ts';
import type { ModelDefinition } from '../models/definition.ts';
import { batchOf, type ImageBatch } from '../models/images.ts';
import { Inference } from '../models/inference.ts';
import { Model } from '../models/model.ts';
import { AdamState } from '../train/adam-state.ts';
import { type TrainingBatch, TrainingStep } from '../train/step.ts';
import { type Interleave, interleave, type Run, type Timing } from './interleave.ts';

export interface StepSizes {
  readonly batchSize: number;
  readonly imageSize: number;
}

/** Grey noise with alternating labels: the time of a step does not depend on what the images show. */
export function benchBatch({ batchSize, imageSize }: StepSizes): TrainingBatch & ImageBatch {
  const images = Array.from({ length: batchSize }, (_, image) =>
    Uint8Array.from({ length: imageSize ** 2 }, (_, pixel) => (pixel * 37 + image * 101) % 256),
  );
  return { ...batchOf(images, imageSize), labels: Float32Array.from(images, (_, index) => index % 2) };
}

/** Time of one run of a batch. */
export interface StepResult {
  readonly median_ms: number;
  readonly lower_ms: number;
  readonly upper_ms: number;
  readonly runs: number;
  readonly ms_per_image: number;
  readonly images_per_s: number;
  /** Activations, gradients of activations, scratch and uniforms. */
  readonly planned_bytes: number;
  /** Bytes that all launches move, each operand once, by the ops' costs. */
  readonly moved_bytes: number;
}

export interface StepBench {
  readonly inference: StepResult;
  readonly training: StepResult;
  /** Without the passes that are left out, where some are. */
  readonly unfused?: StepResult;
  /** Different pipelines for both. */
  readonly pipelines: number;
}

export const LEARNING_RATE = 1e-4;

/**
 * Times inference and a training step of a network in turn, each from writing its batch to reading its result. `without`:
 * passes of the graph without which a second training step is timed in the same turns.
 */
export async function benchStep(
  device: Device,
  definition: ModelDefinition,
  {
    rounds,
    without = [],
    choices = NO_CHOICES,
    interleave: inTurn = interleave,
    ...sizes
  }: StepSizes & { rounds: number; without?: readonly PassName[]; choices?: Choices; interleave?: Interleave },
): Promise<StepBench> {
  const model = new Model(device, definition);
  const adam = new AdamState(model);
  const options = { ...sizes, channels: 1, choices } as const;
  const training = await TrainingStep.create(model, adam, options);
  const inference = await Inference.create(model, options);
  const pipelines = device.pipelines.size;
  const unfused = without.length > 0 ? await TrainingStep.create(model, adam, { ...options, without }) : undefined;
  const batch = benchBatch(sizes);
  const steps = unfused ? [training, unfused] : [training];
  const timings = await inTurn(
    [timed(() => inference.run(batch)), ...steps.map((step) => timed(() => step.run(batch, LEARNING_RATE)))],
    rounds,
  );
  const [read, trained, slower] = timings as [Timing, Timing, Timing?];
  const found = {
    inference: resultOf(read, sizes.batchSize, inference.program),
    training: resultOf(trained, sizes.batchSize, training.program),
    ...(unfused && slower ? { unfused: resultOf(slower, sizes.batchSize, unfused.program) } : {}),
    pipelines,
  };
  await Promise.all([training, inference, unfused].map((one) => one?.destroy()));
  adam.destroy();
  model.destroy();
  return found;
}

/** A run by the wall clock, from writing its batch to reading its result. */
export const timed = (run: () => Promise<Pending>): Run => {
  return async () => {
    const start = performance.now();
    await (await run()).value;
    return (performance.now() - start) / 1000;
  };
};

function resultOf({ median, lower, upper, runs }: Timing, images: number, program: Program): StepResult {
  return {
    median_ms: 1000 * median,
    lower_ms: 1000 * lower,
    upper_ms: 1000 * upper,
    runs,
    ms_per_image: (1000 * median) / images,
    images_per_s: images / median,
    planned_bytes: program.bytes,
    moved_bytes: program.plan.launches.reduce((sum, { cost }) => sum + cost.bytes, 0),
  };
}
