import type { DecodedImage } from '../../../src/data/image.ts';
import { browserDecoder } from '../../../src/io/browser-images.ts';
import type { ModelDefinition } from '../../../src/models/definition.ts';
import { checkImageSize, Inference } from '../../../src/models/inference.ts';
import { Model } from '../../../src/models/model.ts';
import { parseWeightsFile, type WeightsFile } from '../../../src/models/weights-file.ts';
import { predictImage } from '../../../src/train/predict-image.ts';
import type { Reading, WeightsChoice, WeightsReport } from '../engine-api.ts';
import { findNetwork } from './find-network.ts';
import { greyOrColourPng, rgbaPng } from './png.ts';
import type { Opened } from './session.ts';

/** A network on a device, ready to read images of one size. */
interface Loaded {
  readonly opened: Opened;
  readonly model: Model;
  readonly inference: Inference;
  readonly notes: readonly string[];
}

/** Weights and the network they belong to, whatever device they are on. */
interface Chosen {
  readonly weights: WeightsFile;
  readonly definition: ModelDefinition;
  readonly imageSize: number;
}

/** Reads images with one network, which it loads again where the device is another one. */
export class Reader {
  #chosen: Chosen | undefined;
  #loaded: Loaded | undefined;

  /** Takes the weights of a file; what was loaded before stays in use where they are refused. */
  async use(opened: Opened, { file, bytes, imageSize }: WeightsChoice): Promise<WeightsReport> {
    const weights = parseWeightsFile(file, bytes);
    const found = findNetwork(weights);
    const chosen = { weights, definition: found.definition, imageSize: imageSize ?? found.imageSize };
    checkImageSize(chosen.definition, chosen.imageSize);
    const loaded = await load(opened, chosen);
    await this.#unload();
    this.#chosen = chosen;
    this.#loaded = loaded;
    const { name: model, title, smallestImage } = chosen.definition;
    return { file, model, title, imageSize: chosen.imageSize, smallestImage, notes: loaded.notes };
  }

  /** The weights in use. */
  get weights(): WeightsFile | undefined {
    return this.#chosen?.weights;
  }

  async read(opened: Opened, name: string, bytes: Uint8Array): Promise<Reading> {
    const image = await browserDecoder.decode(bytes, name);
    const { inference } = await this.#ready(opened);
    const start = performance.now();
    const { probability, cam } = await predictImage(inference, image, () => true);
    const seconds = (performance.now() - start) / 1000;
    if (!cam) throw new Error('internal: a map was asked for');
    return {
      name,
      probability,
      seconds,
      ...(await pictures(image, cam.rgba)),
      map: { width: cam.mapWidth, height: cam.mapHeight, values: cam.map },
      byGradient: inference.mapWeights !== undefined,
      gpuBytes: opened.device.live.bytes,
    };
  }

  async #ready(opened: Opened): Promise<Loaded> {
    if (!this.#chosen) throw new Error('internal: images are read after weights are chosen');
    if (this.#loaded?.opened !== opened) {
      this.#loaded = undefined;
      this.#loaded = await load(opened, this.#chosen);
    }
    return this.#loaded;
  }

  async #unload(): Promise<void> {
    const loaded = this.#loaded;
    this.#loaded = undefined;
    await loaded?.inference.destroy();
    loaded?.model.destroy();
  }
}

async function load(opened: Opened, { weights, definition, imageSize }: Chosen): Promise<Loaded> {
  const model = new Model(opened.device, definition, { initialise: false });
  try {
    const { notes } = model.load(weights.file, weights.tensors, weights.normalisation);
    const inference = await Inference.create(model, { batchSize: 1, imageSize, cam: true });
    return { opened, model, inference, notes };
  } catch (error) {
    model.destroy();
    throw error;
  }
}

async function pictures(image: DecodedImage, overlay: Uint8Array) {
  const { width, height } = image;
  const [original, drawn] = await Promise.all([greyOrColourPng(image), rgbaPng(width, height, overlay)]);
  return { width, height, original, overlay: drawn };
}
