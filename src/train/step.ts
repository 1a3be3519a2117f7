import { ShapeError } from '../base/errors.ts';
import { type Pending, ReadbackRing } from '../gpu/readback.ts';
import { Arena } from '../graph/arena.ts';
import type { BoundBuffer } from '../graph/executor.ts';
import { Graph, type Tensor } from '../graph/graph.ts';
import type { PassName } from '../graph/passes/index.ts';
import type { External } from '../graph/plan.ts';
import { Program } from '../graph/program.ts';
import { adam, STEP_WORDS } from '../kernels/adam.ts';
import { type ImageBatch, ImageInput } from '../models/images.ts';
import { checkImageSize } from '../models/inference.ts';
import type { Model } from '../models/model.ts';
import { Network } from '../models/network.ts';
import { traceLoss } from '../models/trace.ts';

/** torch.optim.Adam's defaults. */
const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

export interface TrainingOptions {
  readonly batchSize: number;
  /** Width and height of the images in pixels. */
  readonly imageSize: number;
  /** 1 where every image is grey: a third of the bytes. */
  readonly channels?: 1 | 3;
  /** Draws the masks of dropout, with the step's number; default 0. */
  readonly seed?: number;
  /** Graph passes to leave out. */
  readonly without?: readonly PassName[];
}

/** A batch with its labels: 1 is abnormal. */
export interface TrainingBatch extends ImageBatch {
  readonly labels: Float32Array;
}

/** Adam's moments, in the layout of the model's parameters, and the number of steps taken. */
export class AdamState {
  readonly first: Arena;
  readonly second: Arena;
  steps = 0;

  constructor(model: Model) {
    this.first = new Arena(model.device, 'Adam, first moment', model.parameters.layout);
    this.second = new Arena(model.device, 'Adam, second moment', model.parameters.layout);
  }

  destroy(): void {
    this.first.destroy();
    this.second.destroy();
  }
}

/** The tensors that a training step is fed with. */
export interface TrainingInputs {
  /** Normalised images [N,S,S,4], the fourth channel 0, declared padded from three. */
  readonly image: Tensor;
  /** [N] of 0 and 1. */
  readonly targets: Tensor;
  /** The scalars of Adam's step; see adamScalars. */
  readonly step: Tensor;
}

/** A traced training step, ready to compile. */
export interface TracedTraining {
  readonly logits: Tensor;
  readonly loss: Tensor;
  readonly gradients: Arena;
  readonly places: Map<Tensor, External>;
  readonly bindings: [object, BoundBuffer][];
}

/** Traces forward, loss, backward and Adam of a model onto the network's graph. */
export function traceTraining(
  model: Model,
  adamState: AdamState,
  network: Network,
  { image, targets, step }: TrainingInputs,
): TracedTraining {
  const { graph } = network;
  const { logits, loss, gradients } = traceLoss(network, model.definition, { image, targets, outputs: model.outputs });
  const gradientArena = new Arena(model.device, 'gradients', model.parameters.layout);
  const places = model.places(network);
  for (const { spec, gradient } of gradients) places.set(gradient, gradientArena.place(spec.name));
  model.parameters.layout.chunks.forEach((elements, chunk) => {
    const arenas = { p: model.parameters, g: gradientArena, m: adamState.first, v: adamState.second };
    const operands = Object.entries(arenas).map(([name, arena]) => {
      const tensor = graph.state(`adam.${name}`, [elements]);
      places.set(tensor, arena.placeChunk(chunk));
      return tensor;
    });
    graph.emit(adam, [...operands, step], {});
  });
  const arenas = [model.parameters, model.statistics, gradientArena, adamState.first, adamState.second];
  return { logits, loss, gradients: gradientArena, places, bindings: arenas.flatMap((arena) => arena.bindings()) };
}

/** The words of Adam's step number `step` (from 1) at a learning rate, as torch.optim.Adam corrects its bias. */
export function adamScalars(step: number, learningRate: number): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(STEP_WORDS);
  words[0] = step;
  new Float32Array(words.buffer, 4).set([
    learningRate / (1 - BETA1 ** step),
    1 / Math.sqrt(1 - BETA2 ** step),
    1 - BETA1,
    1 - BETA2,
    EPSILON,
  ]);
  return words;
}

/** One training step as a plan: augment, forward, loss, backward and Adam in place; nothing is allocated afterwards. */
export class TrainingStep {
  readonly model: Model;
  readonly adam: AdamState;
  readonly batchSize: number;
  readonly program: Program;
  /** The gradients of the last step, in the layout of the parameters. */
  readonly gradients: Arena;
  readonly #images: ImageInput;
  readonly #targets: Tensor;
  readonly #step: Tensor;
  readonly #loss: Tensor;
  readonly #ring: ReadbackRing;

  private constructor(
    model: Model,
    adamState: AdamState,
    parts: { program: Program; gradients: Arena; images: ImageInput; targets: Tensor; step: Tensor; loss: Tensor },
  ) {
    this.model = model;
    this.adam = adamState;
    this.batchSize = parts.images.batchSize;
    this.program = parts.program;
    this.gradients = parts.gradients;
    this.#images = parts.images;
    this.#targets = parts.targets;
    this.#step = parts.step;
    this.#loss = parts.loss;
    this.#ring = new ReadbackRing(model.device, 4);
  }

  static async create(model: Model, adamState: AdamState, options: TrainingOptions): Promise<TrainingStep> {
    checkImageSize(model.definition, options.imageSize, { training: true });
    const { batchSize, imageSize: size, channels = 3 } = options;
    const graph = new Graph();
    const step = graph.input('step', [STEP_WORDS], 'u32');
    const targets = graph.input('targets', [batchSize]);
    const network = new Network(graph, { training: true, step, seed: options.seed ?? 0 });
    const images = new ImageInput(graph, network, { batchSize, size, channels });
    const traced = traceTraining(model, adamState, network, { image: images.image, targets, step });
    const { loss, gradients: gradientArena } = traced;
    const compiled = Program.compile(model.device, graph, {
      results: [loss],
      places: traced.places,
      bindings: traced.bindings,
      ...(options.without ? { without: options.without } : {}),
    });
    const program = await compiled.catch((error) => {
      gradientArena.destroy();
      throw error;
    });
    const parts = { program, gradients: gradientArena, images, targets, step, loss };
    return new TrainingStep(model, adamState, parts);
  }

  /**
   * Queues one step; `value` holds the batch's loss, one f32. Waits only while too many steps are in flight, so a caller
   * reads the loss some steps late.
   */
  async run(batch: TrainingBatch, learningRate: number): Promise<Pending> {
    if (batch.offsets.length !== this.batchSize || batch.labels.length !== this.batchSize) {
      throw new ShapeError(
        `a training batch of ${batch.offsets.length} images and ${batch.labels.length} labels, expected ` +
          `${this.batchSize} of each, the batch size of this plan`,
      );
    }
    const step = ++this.adam.steps;
    this.program.write(this.#step, adamScalars(step, learningRate));
    this.#images.write(this.program, batch);
    this.program.write(this.#targets, batch.labels as Float32Array<ArrayBuffer>);
    this.program.run();
    this.model.batchesTracked++;
    const { buffer, offset } = this.program.locate(this.#loss);
    return this.#ring.enqueue(buffer, offset);
  }

  async destroy(): Promise<void> {
    await this.#ring.destroy();
    this.program.destroy();
    this.gradients.destroy();
  }
}
