import { required, ShapeError, UserError } from '../base/errors.ts';
import { type Pending, ReadbackRing } from '../gpu/readback.ts';
import { Arena, layOut } from '../graph/arena.ts';
import type { Choices } from '../graph/choices.ts';
import type { BoundBuffer } from '../graph/executor.ts';
import { Graph, type Tensor } from '../graph/graph.ts';
import type { PassName } from '../graph/passes/index.ts';
import type { External, Plan } from '../graph/plan.ts';
import { Program } from '../graph/program.ts';
import { accumulateMean, PART_WORDS } from '../kernels/accumulate-mean.ts';
import { adam } from '../kernels/adam.ts';
import { SCALER_ELEMENTS } from '../kernels/grad-scaler.ts';
import { isFeature } from '../models/definition.ts';
import { type ImageBatch, ImageInput } from '../models/images.ts';
import { checkImageSize } from '../models/inference.ts';
import type { Model } from '../models/model.ts';
import { Network } from '../models/network.ts';
import { traceLoss } from '../models/trace.ts';
import { type AdamState, SCALER, traceScaler } from './adam-state.ts';

export interface TrainingOptions {
  /** Images of one step. */
  readonly batchSize: number;
  /**
   * Images of one forward and backward pass; divides batchSize; default batchSize. Where it is smaller, a step takes
   * several passes, whose gradients are averaged: less memory, the same mean. As in PyTorch, batch norm normalises with
   * the statistics of one pass and updates its running statistics after each.
   */
  readonly microBatch?: number;
  /** Width and height of the images in pixels. */
  readonly imageSize: number;
  /** 1 where every image is grey: a third of the bytes. */
  readonly channels?: 1 | 3;
  /** Draws the masks of dropout, with the step's number; default 0. */
  readonly seed?: number;
  /** Probability of every dropout layer; default: each layer's own. */
  readonly dropout?: number | undefined;
  /** `features`: only the classifier learns; see isFeature and Network. */
  readonly freeze?: 'features' | undefined;
  /** Whether each image counts as much as its batch says. */
  readonly weighted?: boolean;
  /** Graph passes to leave out. */
  readonly without?: readonly PassName[];
  /** Which variants of the kernels to take; default: the first that fits. */
  readonly choices?: Choices;
}

/** A batch with its labels: 1 is abnormal. */
export interface TrainingBatch extends ImageBatch {
  readonly labels: Float32Array;
  /** How much each image counts in the loss, for a step that is `weighted`: its mean stays one over the images. */
  readonly weights?: Float32Array;
}

/** The tensors that a training step is fed with. */
export interface TrainingInputs {
  /** Normalised images [N,S,S,4], the fourth channel 0, declared padded from three. */
  readonly image: Tensor;
  /** [N] of 0 and 1. */
  readonly targets: Tensor;
  /** [N]: how much each image counts. */
  readonly weights?: Tensor | undefined;
  /** The scalars of Adam's step, u32 [AdamState.stepWords]; see AdamState.scalars. */
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
  inputs: TrainingInputs,
): TracedTraining {
  const gradients = new Arena(model.device, 'gradients', model.parameters.layout);
  const traced = traceGradients(model, adamState, network, inputs, gradients);
  traceAdam({ graph: network.graph, places: traced.places }, { model, adamState, gradients, step: inputs.step });
  return { ...traced, gradients, bindings: bindingsOf([...lasting(model, adamState), gradients]) };
}

/** A graph and where its states lie. */
interface Target {
  readonly graph: Graph;
  readonly places: Map<Tensor, External>;
}

const bindingsOf = (arenas: readonly Arena[]) => arenas.flatMap((arena) => arena.bindings());

/** What outlives a step. */
const lasting = ({ parameters, statistics }: Model, { first, second, scaler }: AdamState): Arena[] => [
  parameters,
  statistics,
  first,
  second,
  ...(scaler ? [scaler] : []),
];

/** The tensor that holds the loss scale, where there is one. */
function scalerTensor({ graph, places }: Target, { scaler }: AdamState): Tensor | undefined {
  if (!scaler) return undefined;
  const tensor = graph.state(SCALER, [SCALER_ELEMENTS]);
  places.set(tensor, scaler.place(SCALER));
  return tensor;
}

/** Traces forward, loss and backward; the gradients, those of the scaled loss if it is scaled, go into the arena. */
function traceGradients(
  model: Model,
  adamState: AdamState,
  network: Network,
  { image, targets, weights }: TrainingInputs,
  into: Arena,
) {
  const { outputs, definition } = model;
  const places = new Map<Tensor, External>();
  const scaler = scalerTensor({ graph: network.graph, places }, adamState);
  const { logits, loss, gradients } = traceLoss(network, definition, {
    image,
    targets,
    outputs,
    scaler,
    ...(weights ? { weights } : {}),
  });
  for (const [tensor, place] of model.places(network)) places.set(tensor, place);
  for (const { spec, gradient } of gradients) places.set(gradient, into.place(spec.name));
  return { logits, loss, places };
}

/** The tensors that hold the arenas' chunks number `chunk`, as an op that works on whole arenas takes them. */
function chunkTensors({ graph, places }: Target, arenas: Readonly<Record<string, Arena>>, chunk: number): Tensor[] {
  return Object.entries(arenas).map(([name, arena]) => {
    const tensor = graph.state(name, [arena.layout.chunks[chunk] as number]);
    places.set(tensor, arena.placeChunk(chunk));
    return tensor;
  });
}

function traceAdam(
  target: Target,
  parts: { model: Model; adamState: AdamState; gradients: Arena; step: Tensor },
): void {
  const { model, adamState, gradients, step } = parts;
  const arenas = {
    'adam.p': model.parameters,
    'adam.g': gradients,
    'adam.m': adamState.first,
    'adam.v': adamState.second,
  };
  const chunks = model.parameters.layout.chunks.map((_, chunk) => chunkTensors(target, arenas, chunk));
  const scaler = scalerTensor(target, adamState);
  const scaled = chunks.map(([, gradient]) => gradient as Tensor);
  const update = scaler ? traceScaler(target.graph, scaler, scaled, step) : step;
  for (const tensors of chunks) target.graph.emit(adam, [...tensors, update], {});
}

/** A step of several passes: what each runs, and what runs after the last. */
interface TracedPasses extends TracedTraining {
  /** Adam with the mean gradients; `step` takes its scalars. */
  readonly update: Target & { readonly step: Tensor };
  /** What the step owns. */
  readonly arenas: readonly Arena[];
}

/** Traces a pass, whose loss and gradients are averaged over `count` passes, and Adam on a graph of its own. */
function tracePasses(
  model: Model,
  adamState: AdamState,
  network: Network,
  inputs: TrainingInputs,
  count: number,
): TracedPasses {
  const { device, parameters } = model;
  const own = new Arena(device, 'gradients of a pass', parameters.layout);
  const gradients = new Arena(device, 'gradients', parameters.layout);
  const losses = new Arena(device, 'loss', layOut([{ name: 'loss', shape: [1] }], device.traits.maxBindingBytes));
  const traced = traceGradients(model, adamState, network, inputs, own);
  const target = { graph: network.graph, places: traced.places };
  const average = (mean: Tensor | undefined, x: Tensor | undefined) =>
    target.graph.emit(accumulateMean, [mean, x, inputs.step], { parts: count });
  parameters.layout.chunks.forEach((_, chunk) => {
    const [mean, x] = chunkTensors(target, { 'mean of gradients': gradients, gradients: own }, chunk);
    average(mean, x);
  });
  const loss = target.graph.state('mean of losses', [1]);
  target.places.set(loss, losses.place('loss'));
  average(loss, traced.loss);
  const graph = new Graph();
  const step = graph.input('step', [adamState.stepWords], 'u32');
  const update = { graph, step, places: new Map<Tensor, External>() };
  traceAdam(update, { model, adamState, gradients, step });
  const arenas = [own, gradients, losses];
  const bindings = bindingsOf([...lasting(model, adamState), ...arenas]);
  return { ...traced, loss, gradients, bindings, update, arenas };
}

/** The programs of a step: one that is also its update, or one that runs for every micro-batch and an update after them. */
interface StepParts {
  readonly batchSize: number;
  readonly program: Program;
  readonly step: Tensor;
  readonly update: { readonly program: Program; readonly step: Tensor } | undefined;
  readonly images: ImageInput;
  readonly targets: Tensor;
  readonly weights: Tensor | undefined;
  readonly loss: Tensor;
  readonly gradients: Arena;
  /** Whether running statistics are updated. */
  readonly tracks: boolean;
  readonly arenas: readonly Arena[];
}

/** One training step as a plan: augment, forward, loss, backward and Adam in place; nothing is allocated afterwards. */
export class TrainingStep {
  readonly model: Model;
  readonly adam: AdamState;
  readonly batchSize: number;
  /** Images of one pass; see TrainingOptions. */
  readonly microBatch: number;
  readonly program: Program;
  /** The gradients of the last step, in the layout of the parameters. */
  readonly gradients: Arena;
  readonly #parts: StepParts;
  readonly #ring: ReadbackRing;

  private constructor(model: Model, adamState: AdamState, parts: StepParts) {
    this.model = model;
    this.adam = adamState;
    this.batchSize = parts.batchSize;
    this.microBatch = parts.images.batchSize;
    this.program = parts.program;
    this.gradients = parts.gradients;
    this.#parts = parts;
    this.#ring = new ReadbackRing(model.device, 4);
  }

  /** Throws an OutOfMemoryError, and leaves nothing allocated, where the step does not fit the adapter. */
  static async create(model: Model, adamState: AdamState, options: TrainingOptions): Promise<TrainingStep> {
    checkImageSize(model.definition, options.imageSize, { training: true });
    const { batchSize, microBatch = batchSize, imageSize: size, channels = 3, without = [] } = options;
    const chosen = options.choices ? { choices: options.choices } : {};
    const passes = batchSize / microBatch;
    if (!Number.isInteger(passes)) {
      throw new UserError(`micro-batches of ${microBatch} images do not divide a batch of ${batchSize}`);
    }
    const { device, definition } = model;
    const graph = new Graph();
    const step = graph.input('step', [passes === 1 ? adamState.stepWords : PART_WORDS], 'u32');
    const targets = graph.input('targets', [microBatch]);
    const weights = options.weighted ? graph.input('weights', [microBatch]) : undefined;
    const { dropout, seed = 0, freeze } = options;
    const frozen = (name: string) => freeze === 'features' && isFeature(definition, name);
    const network = new Network(graph, { training: true, step, seed, dropout, frozen });
    const images = new ImageInput(graph, network, {
      batchSize: microBatch,
      held: batchSize,
      size,
      channels,
      normalisation: model.normalisation,
    });
    const inputs = { image: images.image, targets, weights, step };
    const traced = await device.allocate((): TracedTraining & Partial<TracedPasses> =>
      passes === 1
        ? traceTraining(model, adamState, network, inputs)
        : tracePasses(model, adamState, network, inputs, passes),
    );
    const { loss, gradients, places, bindings, arenas = [gradients] } = traced;
    const programs: Program[] = [];
    try {
      const program = await Program.compile(device, graph, { results: [loss], places, bindings, without, ...chosen });
      programs.push(program);
      const update = traced.update && {
        step: traced.update.step,
        program: await Program.compile(device, traced.update.graph, {
          results: [],
          places: traced.update.places,
          bindings,
          ...chosen,
        }),
      };
      const tracks = network.states.some(({ spec: { kind, name } }) => kind === 'statistics' && !frozen(name));
      const parts = { batchSize, program, step, update, images, targets, weights, loss, gradients, tracks, arenas };
      return await device.allocate(() => new TrainingStep(model, adamState, parts));
    } catch (error) {
      for (const made of [...programs, ...arenas]) made.destroy();
      throw error;
    }
  }

  /** The batch's mean loss, [1]: what the forward pass ends in. */
  get loss(): Tensor {
    return this.#parts.loss;
  }

  /** Whether a step updates running statistics. */
  get tracks(): boolean {
    return this.#parts.tracks;
  }

  /** What a step runs: one plan, or that of a pass and that of the update. */
  get plans(): readonly Plan[] {
    const { program, update } = this.#parts;
    return [program.plan, ...(update ? [update.program.plan] : [])];
  }

  /**
   * Queues one step; `value` holds the batch's loss, one f32. Waits only while too many steps are in flight, so a caller
   * reads the loss some steps late.
   */
  async run(batch: TrainingBatch, learningRate: number): Promise<Pending> {
    this.model.checkLoaded();
    if (batch.offsets.length !== this.batchSize || batch.labels.length !== this.batchSize) {
      throw new ShapeError(
        `a training batch of ${batch.offsets.length} images and ${batch.labels.length} labels, expected ` +
          `${this.batchSize} of each, the batch size of this plan`,
      );
    }
    const { program, update, images, loss } = this.#parts;
    images.writeBytes(program, batch);
    const scalars = this.adam.scalars(++this.adam.steps, learningRate);
    if (update) {
      const passes = this.batchSize / this.microBatch;
      // Every pass of a run draws other masks of dropout.
      const drawn = (this.adam.steps - 1) * passes;
      for (let pass = 0; pass < passes; pass++) this.#runPass(batch, pass, Uint32Array.of(drawn + pass + 1, pass));
      update.program.write(update.step, scalars);
      update.program.run();
    } else {
      this.#runPass(batch, 0, scalars);
    }
    const { buffer, offset } = program.locate(loss);
    return this.#ring.enqueue(buffer, offset);
  }

  /** Forward and backward of micro-batch number `pass`, the bytes of whose images are there. */
  #runPass(batch: TrainingBatch, pass: number, words: Uint32Array<ArrayBuffer>): void {
    const { program, step, images, targets, weights } = this.#parts;
    const first = pass * this.microBatch;
    const ofPass = (values: Float32Array) =>
      values.subarray(first, first + this.microBatch) as Float32Array<ArrayBuffer>;
    program.write(step, words);
    images.writeTable(program, batch, first);
    program.write(targets, ofPass(batch.labels));
    if (weights) program.write(weights, ofPass(required(batch.weights, 'weights of the images of a batch')));
    program.run();
    if (this.tracks) this.model.batchesTracked++;
  }

  async destroy(): Promise<void> {
    await this.#ring.destroy();
    this.program.destroy();
    this.#parts.update?.program.destroy();
    for (const arena of this.#parts.arenas) arena.destroy();
  }
}
