import { ShapeError } from '../base/errors.ts';
import { elementCount } from '../base/shape.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import type { Program } from '../graph/program.ts';
import { AUGMENT_WORDS, augment, type Normalisation } from '../kernels/augment.ts';
import type { Network } from './network.ts';

/** A batch of 8-bit images, as src/data writes it. */
export interface ImageBatch {
  /** The images' bytes; the length is a multiple of 4. */
  readonly pixels: Uint8Array;
  /** First byte of each image, a multiple of 4. */
  readonly offsets: Uint32Array;
  /** 1: grey; 3: planes of red, green and blue. */
  readonly channels: Uint32Array;
  /** 1: mirrored left to right, before the rotation. */
  readonly flips: Uint32Array;
  /** Rotation in radians, counter-clockwise. */
  readonly angles: Float32Array;
}

/** The first node of a network: bytes of a batch in, normalised (and augmented) feature maps out. */
export class ImageInput {
  /** [N,S,S,4], padded from three channels. */
  readonly image: Tensor;
  readonly batchSize: number;
  readonly #held: number;
  readonly #bytes: Tensor;
  readonly #table: Tensor;
  readonly #words: ArrayBuffer;

  /** `held`: images whose bytes there is room for, where a batch is larger than what the network takes at once. */
  constructor(
    graph: Graph,
    network: Network,
    options: { batchSize: number; size: number; channels: 1 | 3; held?: number; normalisation?: Normalisation },
  ) {
    const { batchSize, size, channels, held = batchSize, normalisation = 'imagenet' } = options;
    this.batchSize = batchSize;
    this.#held = held;
    const words = Math.ceil((size * size * channels) / 4);
    this.#bytes = graph.input('bytes', [held * words], 'u32');
    this.#table = graph.input('images', [batchSize, AUGMENT_WORDS], 'u32');
    this.#words = new ArrayBuffer(4 * batchSize * AUGMENT_WORDS);
    const [image] = graph.emit(augment, [this.#bytes, this.#table], { images: batchSize, size, normalisation });
    this.image = network.declarePadded(image as Tensor, 3);
  }

  /** The tensors that a batch is written to. */
  get inputs(): readonly Tensor[] {
    return [this.#bytes, this.#table];
  }

  /** Writes a batch; slots beyond a smaller batch repeat its first image, and their results mean nothing. */
  write(program: Program, batch: ImageBatch): void {
    this.writeBytes(program, batch);
    this.writeTable(program, batch, 0);
  }

  /** Writes the bytes of a batch, of which writeTable chooses the images that the network takes next. */
  writeBytes(program: Program, batch: ImageBatch): void {
    const images = batch.offsets.length;
    if (images < 1 || images > this.#held) {
      throw new ShapeError(`a batch of ${images} images, expected 1 to ${this.#held}, the batch size of this plan`);
    }
    const room = elementCount(this.#bytes.shape) * 4;
    if (batch.pixels.length > room) {
      throw new ShapeError(
        `a batch of ${batch.pixels.length} bytes, expected at most ${room}: is it of another image size, or in colour ` +
          'where the plan was made with channels 1?',
      );
    }
    program.write(this.#bytes, batch.pixels as Uint8Array<ArrayBuffer>);
  }

  /** Has the network take the images of the batch from number `first` on; slots beyond its end repeat that one. */
  writeTable(program: Program, batch: ImageBatch, first: number): void {
    const integers = new Uint32Array(this.#words);
    const floats = new Float32Array(this.#words);
    for (let slot = 0; slot < this.batchSize; slot++) {
      const source = first + slot < batch.offsets.length ? first + slot : first;
      const at = slot * AUGMENT_WORDS;
      integers[at] = batch.offsets[source] as number;
      integers[at + 1] = batch.channels[source] as number;
      integers[at + 2] = batch.flips[source] as number;
      floats[at + 3] = Math.cos(batch.angles[source] as number);
      floats[at + 4] = Math.sin(batch.angles[source] as number);
    }
    program.write(this.#table, integers);
  }
}

/** Square images as a batch: each [size,size] grey bytes or three planes of them; neither mirrored nor turned. */
export function batchOf(images: readonly Uint8Array[], size: number): ImageBatch {
  const room = images.map((image) => 4 * Math.ceil(image.length / 4));
  const pixels = new Uint8Array(room.reduce((sum, bytes) => sum + bytes, 0));
  const offsets = new Uint32Array(images.length);
  let end = 0;
  images.forEach((image, index) => {
    if (image.length !== size * size && image.length !== 3 * size * size) {
      throw new ShapeError(
        `image ${index} of the batch has ${image.length} bytes, expected ${size * size} (grey) or ${3 * size * size} ` +
          `(red, green and blue planes) for ${size} pixels`,
      );
    }
    pixels.set(image, end);
    offsets[index] = end;
    end += room[index] as number;
  });
  return {
    pixels,
    offsets,
    channels: Uint32Array.from(images, (image) => image.length / (size * size)),
    flips: new Uint32Array(images.length),
    angles: new Float32Array(images.length),
  };
}
