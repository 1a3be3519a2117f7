import { UserError } from '../../../src/base/errors.ts';
import type { Device } from '../../../src/gpu/device.ts';
import { findModel } from '../../../src/models/index.ts';
import { Inference } from '../../../src/models/inference.ts';
import { Model } from '../../../src/models/model.ts';
import type { WeightsFile } from '../../../src/models/weights-file.ts';
import { AdamState } from '../../../src/train/adam-state.ts';
import { type LoopEvents, startOfRun, trainLoop } from '../../../src/train/loop.ts';
import { predictImage } from '../../../src/train/predict-image.ts';
import type { RunProgress } from '../../../src/train/run-state.ts';
import { TrainingStep } from '../../../src/train/step.ts';
import { writeSafetensors } from '../../../src/weights/safetensors.ts';
import type { TrainEvents, TrainOptions, TrainPicture } from '../engine-api.ts';
import { makePhantomSet, type PhantomSet } from './phantom-set.ts';
import { rgbaPng } from './png.ts';

const VALID_FRACTION = 0.25;
const MAX_ROTATION = 10;
const PLATEAU_PATIENCE = 10;

/** What a run needs on the device. */
interface Parts {
  readonly model: Model;
  readonly adam: AdamState;
  readonly step: TrainingStep;
  readonly inference: Inference;
}

/** A training run on the phantom set, which can be stopped and continued while its device lives. */
export class Trainer {
  readonly #options: TrainOptions;
  readonly #set: PhantomSet;
  readonly #parts: Parts;
  readonly #events: TrainEvents;
  #progress: RunProgress;

  private constructor(options: TrainOptions, set: PhantomSet, parts: Parts, events: TrainEvents) {
    this.#options = options;
    this.#set = set;
    this.#parts = parts;
    this.#events = events;
    this.#progress = startOfRun(options.learningRate);
  }

  /** An aborted signal ends it; where it fails, nothing stays on the device. */
  static async create(
    device: Device,
    options: TrainOptions,
    weights: WeightsFile | undefined,
    events: TrainEvents,
    signal: AbortSignal,
  ): Promise<Trainer> {
    const { studies, seed, imageSize, batchSize } = options;
    const phantom = { studies, seed, validFraction: VALID_FRACTION };
    const set = await makePhantomSet(phantom, imageSize, events.onProgress, signal);
    events.onProgress({ done: 0, total: 0, what: 'compiling the kernels' });
    const made: { destroy(): unknown }[] = [];
    const own = <T extends { destroy(): unknown }>(part: T): T => {
      made.push(part);
      signal.throwIfAborted();
      return part;
    };
    try {
      const model = own(new Model(device, findModel(options.model), { seed, initialise: !weights }));
      if (weights) model.load(weights.file, weights.tensors, weights.normalisation);
      const adam = own(new AdamState(model));
      const size = { batchSize: Math.min(batchSize, set.train.split.images.length), imageSize, channels: 1 } as const;
      const step = own(await TrainingStep.create(model, adam, { ...size, seed }));
      const inference = own(await Inference.create(model, { ...size, cam: true }));
      const trainer = new Trainer(options, set, { model, adam, step, inference }, events);
      const picture = await trainer.#draw();
      signal.throwIfAborted();
      events.onEpoch(0, undefined, picture);
      return trainer;
    } catch (error) {
      for (const part of made.reverse()) await part.destroy();
      throw error;
    }
  }

  get images(): number {
    return this.#set.train.split.images.length;
  }

  /** Steps of an epoch. */
  get steps(): number {
    return Math.floor(this.images / this.#parts.step.batchSize);
  }

  /** Trains so many epochs more; an aborted signal ends it after the step that runs. Returns the complete epochs. */
  async run(epochs: number, signal: AbortSignal): Promise<number> {
    const { train, valid } = this.#set;
    const now = () => performance.now() / 1000;
    const options = {
      epochs: this.#progress.epoch + epochs,
      seed: this.#options.seed,
      maxRotation: MAX_ROTATION,
      plateauPatience: PLATEAU_PATIENCE,
      best: 'loss' as const,
      maxSteps: undefined,
      earlyStop: undefined,
      // Nothing outlives the page but what is downloaded.
      saveSeconds: Number.POSITIVE_INFINITY,
    };
    const parts = { ...this.#parts, train, valid, signal, now };
    try {
      await trainLoop(parts, options, this.#progress, this.#loopEvents());
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) throw error;
    }
    return this.#progress.epoch;
  }

  /** The weights as they are now, as the file that `murad predict` and PyTorch read. */
  async weights(): Promise<{ name: string; bytes: Uint8Array }> {
    const { model } = this.#parts;
    const { name } = model.definition;
    const { imageSize } = this.#options;
    const metadata = { model: name, image_size: String(imageSize), normalisation: model.normalisation };
    const bytes = writeSafetensors(await model.stateDict(), metadata);
    return { name: `${name}-phantom-${imageSize}px-epoch${this.#progress.epoch}.safetensors`, bytes };
  }

  async destroy(): Promise<void> {
    const { model, adam, step, inference } = this.#parts;
    await Promise.all([step.destroy(), inference.destroy()]);
    adam.destroy();
    model.destroy();
  }

  #loopEvents(): LoopEvents {
    const { step } = this.#parts;
    return {
      onStep: ({ epoch, done, loss }) => {
        if (done === 0) return;
        this.#events.onStep({ step: (epoch - 1) * this.steps + done / step.batchSize, loss });
      },
      save: async (progress) => {
        const before = this.#progress;
        this.#progress = progress;
        if (progress.epoch === before.epoch) return;
        this.#events.onEpoch(progress.epoch, progress.history.at(-1), await this.#draw());
      },
    };
  }

  async #draw(): Promise<TrainPicture> {
    const { shown } = this.#set;
    const { probability, cam } = await predictImage(this.#parts.inference, shown, () => true);
    if (!cam) throw new UserError('internal: a map was asked for');
    return { probability, overlay: await rgbaPng(shown.width, shown.height, cam.rgba) };
  }
}
