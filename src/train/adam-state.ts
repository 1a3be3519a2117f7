import type { Device } from '../gpu/device.ts';
import { Arena, layOut } from '../graph/arena.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import { STEP_WORDS } from '../kernels/adam.ts';
import { countNonfinite } from '../kernels/count-nonfinite.ts';
import { ATTEMPT_WORDS, gradScaler, INITIAL_SCALE, SCALER_ELEMENTS } from '../kernels/grad-scaler.ts';
import type { Model } from '../models/model.ts';

/** torch.optim.Adam's defaults. */
const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/** torch.amp.GradScaler's default: good steps in a row after which the loss scale is doubled. */
const GROWTH_INTERVAL = 2000;

/** The scaler's state before the first step. */
const FRESH = Float32Array.of(INITIAL_SCALE, 0, 0);

/** The name of the scaler's one tensor, in its arena and in a run's state. */
export const SCALER = 'scaler';

/**
 * Dynamic loss scaling, which maps in f16 need: their gradients are those of the loss times a scale. The scale, the good
 * steps in a row and Adam's steps lie on the GPU, so that nothing waits for the host to see an overflow.
 */
function createScaler(device: Device): Arena {
  const layout = layOut([{ name: SCALER, shape: [SCALER_ELEMENTS] }], device.traits.maxBindingBytes);
  const scaler = new Arena(device, 'loss scale', layout);
  scaler.write(SCALER, FRESH);
  return scaler;
}

/** Adam's moments, in the layout of the model's parameters, the number of steps, and the loss scale where there is one. */
export class AdamState {
  readonly first: Arena;
  readonly second: Arena;
  /** Only where the device stores maps in f16. */
  readonly scaler: Arena | undefined;
  /** Of the run, those that overflowed among them. */
  steps = 0;
  /** Those of them that were taken before the moments began. */
  began = 0;

  constructor(model: Model) {
    const { device, parameters } = model;
    [this.first, this.second, this.scaler] = device.allOrNone(() => [
      new Arena(device, 'Adam, first moment', parameters.layout),
      new Arena(device, 'Adam, second moment', parameters.layout),
      device.traits.storesHalves ? createScaler(device) : undefined,
    ]);
  }

  /** Forgets the moments, as an optimiser does that is made anew; the run's steps are counted on. */
  restart(): void {
    this.first.clear();
    this.second.clear();
    this.began = this.steps;
    this.scaler?.write(SCALER, FRESH);
  }

  /** Words of the tensor that a step's scalars are written to. */
  get stepWords(): number {
    return this.scaler ? ATTEMPT_WORDS : STEP_WORDS;
  }

  /** The words of step number `step` (from 1) at a learning rate. */
  scalars(step: number, learningRate: number): Uint32Array<ArrayBuffer> {
    return this.scaler ? attemptScalars(step, learningRate) : adamScalars(step, learningRate, this.began);
  }

  /** The loss scale, good steps in a row and Adam's steps once the steps so far are done; undefined without scaling. */
  async readScaler(): Promise<Float32Array<ArrayBuffer> | undefined> {
    return (await this.scaler?.read())?.get(SCALER);
  }

  destroy(): void {
    for (const arena of [this.first, this.second, this.scaler]) arena?.destroy();
  }
}

function wordsOf(step: number, scalars: readonly number[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(1 + scalars.length);
  words[0] = step;
  new Float32Array(words.buffer, 4).set(scalars);
  return words;
}

/**
 * The words of Adam's step number `step` (from 1) at a learning rate, as torch.optim.Adam corrects its bias; the moments
 * have seen those steps that follow `began`.
 */
export const adamScalars = (step: number, learningRate: number, began = 0): Uint32Array<ArrayBuffer> =>
  wordsOf(step, [
    learningRate / (1 - BETA1 ** (step - began)),
    1 / Math.sqrt(1 - BETA2 ** (step - began)),
    1 - BETA1,
    1 - BETA2,
    EPSILON,
    1,
  ]);

/** The words of a step whose number for Adam the GPU alone knows; see ATTEMPT_WORDS. */
const attemptScalars = (step: number, learningRate: number): Uint32Array<ArrayBuffer> =>
  wordsOf(step, [learningRate, Math.log(BETA1), Math.log(BETA2), 1 - BETA1, 1 - BETA2, EPSILON]);

/**
 * Traces what decides whether a step of scaled gradients is taken: whether any is infinite or NaN. Returns the words
 * that Adam takes in place of `attempt`.
 */
export function traceScaler(graph: Graph, scaler: Tensor, gradients: readonly Tensor[], attempt: Tensor): Tensor {
  let nonfinite: Tensor | undefined;
  for (const chunk of gradients) [nonfinite] = graph.emit(countNonfinite, [chunk, nonfinite], {});
  const [update] = graph.emit(gradScaler, [scaler, nonfinite, attempt], { growthInterval: GROWTH_INTERVAL });
  return update as Tensor;
}
