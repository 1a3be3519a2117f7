import { UserError } from '../base/errors.ts';
import { type Pending, ReadbackRing } from '../gpu/readback.ts';
import type { Choices } from '../graph/choices.ts';
import { Graph, type Tensor } from '../graph/graph.ts';
import type { PassName } from '../graph/passes/index.ts';
import { Program } from '../graph/program.ts';
import { type ModelDefinition, smallestTrainingImage } from './definition.ts';
import { firstLogits, traceMapGradients } from './grad-cam.ts';
import { type ImageBatch, ImageInput } from './images.ts';
import type { Model } from './model.ts';
import { Network } from './network.ts';

export interface InferenceOptions {
  readonly batchSize: number;
  /** Width and height of the images in pixels. */
  readonly imageSize: number;
  /** 1 where every image is grey: a third of the bytes. */
  readonly channels?: 1 | 3;
  /** Whether class activation maps will be drawn: a network whose head does not weigh its maps needs gradients for them. */
  readonly cam?: boolean;
  /** Graph passes to leave out. */
  readonly without?: readonly PassName[];
  /** Which variants of the kernels to take; default: the first that fits. */
  readonly choices?: Choices;
}

/** A tensor that a run left on the device. */
export interface Located {
  readonly tensor: Tensor;
  readonly buffer: GPUBuffer;
  /** In bytes. */
  readonly offset: number;
}

/** The tensors of an inference's plan. */
interface InferenceParts {
  readonly program: Program;
  readonly images: ImageInput;
  readonly logits: Tensor;
  readonly maps: Tensor;
  readonly mapWeights: Tensor | undefined;
}

/** Throws where the network cannot take images of that size, or cannot be trained on them. */
export function checkImageSize(
  definition: ModelDefinition,
  imageSize: number,
  { training = false }: { training?: boolean } = {},
): void {
  const smallest = training ? smallestTrainingImage(definition) : definition.smallestImage;
  if (imageSize >= smallest) return;
  const what = smallest === definition.smallestImage ? 'take' : 'be trained with its auxiliary classifier on';
  throw new UserError(
    `${definition.name} cannot ${what} images of ${imageSize} pixels: the smallest --image-size is ${smallest}`,
  );
}

/** A network in evaluation mode, planned for one batch and image size. */
export class Inference {
  readonly model: Model;
  readonly options: InferenceOptions;
  readonly program: Program;
  readonly #parts: InferenceParts;
  readonly #ring: ReadbackRing;

  private constructor(model: Model, options: InferenceOptions, parts: InferenceParts) {
    this.model = model;
    this.options = options;
    this.program = parts.program;
    this.#parts = parts;
    this.#ring = new ReadbackRing(model.device, 4 * options.batchSize * model.outputs);
  }

  /** Throws an OutOfMemoryError, and leaves nothing allocated, where the network does not fit the adapter. */
  static async create(model: Model, options: InferenceOptions): Promise<Inference> {
    checkImageSize(model.definition, options.imageSize);
    const graph = new Graph();
    const network = new Network(graph, { training: false });
    const { batchSize, imageSize: size, channels = 3, cam = false, without = [] } = options;
    const images = new ImageInput(graph, network, {
      batchSize,
      size,
      channels,
      normalisation: model.normalisation,
    });
    const outputs = model.definition.build(network, images.image, model.outputs);
    const { logits, maps } = outputs;
    const byGradient = cam && model.definition.headAveragesMaps === false;
    const gradient = byGradient ? traceMapGradients(graph, outputs) : undefined;
    const program = await Program.compile(model.device, graph, {
      results: [logits, maps, ...(gradient ? [gradient.weights] : [])],
      places: model.places(network),
      bindings: [...model.parameters.bindings(), ...model.statistics.bindings()],
      without,
      ...(options.choices ? { choices: options.choices } : {}),
    });
    if (gradient) program.write(gradient.seed, firstLogits(gradient.seed));
    const parts = { program, images, logits, maps, mapWeights: gradient?.weights };
    try {
      return await model.device.allocate(() => new Inference(model, options, parts));
    } catch (error) {
      program.destroy();
      throw error;
    }
  }

  /** Queues a batch; `value` holds its logits as f32, `outputs` an image. Waits only while too many are in flight. */
  async run(batch: ImageBatch): Promise<Pending> {
    this.model.checkLoaded();
    this.#parts.images.write(this.program, batch);
    this.program.run();
    const { buffer, offset } = this.program.locate(this.#parts.logits);
    return this.#ring.enqueue(buffer, offset);
  }

  /** The last feature maps of the batch that ran last. */
  get maps(): Located {
    return this.#located(this.#parts.maps);
  }

  /** [N,1,1,C]: how much each map raised the logit of each image, where the gradient says so and not the head's weights. */
  get mapWeights(): Located | undefined {
    return this.#parts.mapWeights && this.#located(this.#parts.mapWeights);
  }

  /** [N,1,1,outputs], what a run computes last. */
  get logits(): Tensor {
    return this.#parts.logits;
  }

  /** Bytes of the buffers that hold activations. */
  get bytes(): number {
    return this.program.bytes;
  }

  async destroy(): Promise<void> {
    await this.#ring.destroy();
    this.program.destroy();
  }

  #located(tensor: Tensor): Located {
    return { tensor, ...this.program.locate(tensor) };
  }
}
