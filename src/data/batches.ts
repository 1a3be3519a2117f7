import { InternalError } from '../base/errors.ts';
import { fnv1a32, Random } from '../base/random.ts';
import { drawAugmentation } from './augmentation.ts';
import type { PackedSplit } from './packed.ts';

const STREAM = fnv1a32('order');

/** Images as they are written to the GPU. The arrays are the writer's own: see readAhead. */
export interface Batch {
  /** Indices into the split's images. */
  images: Uint32Array;
  /** The images' bytes one after the other, each from a multiple of 4 bytes on; the length is a multiple of 4. */
  pixels: Uint8Array;
  /** First byte of each image in `pixels`. */
  offsets: Uint32Array;
  /** 1: one grey plane; 3: planes of red, green and blue. */
  channels: Uint32Array;
  /** 1: mirrored left to right, before the rotation. */
  flips: Uint32Array;
  /** Rotation in radians, counter-clockwise. */
  angles: Float32Array;
  /** 1 is abnormal. */
  labels: Float32Array;
}

/** The images of a training epoch, batch by batch; an incomplete last batch is dropped unless it is the only one. */
export function trainingOrder(images: number, batchSize: number, seed: number, epoch: number): Uint32Array[] {
  const order = new Random(seed, STREAM, epoch).permutation(images);
  const batches = splitOrder(order, batchSize);
  return batches.filter((batch) => batch.length === batchSize || batches.length === 1);
}

/** All images in their order, batch by batch; the last batch may be smaller. */
export function evaluationOrder(images: number, batchSize: number): Uint32Array[] {
  return splitOrder(
    Uint32Array.from({ length: images }, (_, index) => index),
    batchSize,
  );
}

function splitOrder(order: Uint32Array, batchSize: number): Uint32Array[] {
  const count = Math.ceil(order.length / batchSize);
  return Array.from({ length: count }, (_, b) => order.subarray(b * batchSize, (b + 1) * batchSize));
}

/** How the images of a training batch are augmented. */
export interface AugmentationOptions {
  seed: number;
  epoch: number;
  /** Degrees. */
  maxRotation: number;
}

/** `bytes` rounded up to WebGPU's unit of copying. */
function aligned(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

/** Writes batches of a split into arrays that are allocated once; a batch is valid until the writer's next one. */
export class BatchWriter {
  readonly #packed: PackedSplit;
  readonly #full: Batch;

  constructor(packed: PackedSplit, batchSize: number) {
    this.#packed = packed;
    const planes = packed.channels.includes(3) ? 3 : 1;
    this.#full = {
      images: new Uint32Array(batchSize),
      pixels: new Uint8Array(batchSize * aligned(planes * packed.size ** 2)),
      offsets: new Uint32Array(batchSize),
      channels: new Uint32Array(batchSize),
      flips: new Uint32Array(batchSize),
      angles: new Float32Array(batchSize),
      labels: new Float32Array(batchSize),
    };
  }

  /** Writes the named images; without `augmentation` they are neither mirrored nor turned. */
  async write(images: Uint32Array, augmentation?: AugmentationOptions): Promise<Batch> {
    const full = this.#full;
    if (images.length > full.images.length) {
      throw new InternalError(`a batch of ${images.length} images, expected at most ${full.images.length}`);
    }
    let end = 0;
    for (let slot = 0; slot < images.length; slot++) end = this.#describe(slot, images[slot] as number, end);
    for (let slot = 0; slot < images.length; slot++) {
      const drawn =
        augmentation &&
        drawAugmentation(augmentation.seed, augmentation.epoch, images[slot] as number, augmentation.maxRotation);
      full.flips[slot] = drawn?.flip ? 1 : 0;
      full.angles[slot] = ((drawn?.angle ?? 0) * Math.PI) / 180;
    }
    const batch = this.#view(images.length, end);
    await this.#packed.pixels.read(images, batch.pixels, batch.offsets);
    return batch;
  }

  /** Says of one image, whose bytes begin at `start`, what is known without them; returns where the next one starts. */
  #describe(slot: number, index: number, start: number): number {
    const { split, size, channels } = this.#packed;
    const planes = channels[index];
    const record = split.images[index];
    if (!planes || !record) throw new InternalError(`image ${index} of a split of ${split.images.length} images`);
    const full = this.#full;
    full.images[slot] = index;
    full.offsets[slot] = start;
    full.channels[slot] = planes;
    full.labels[slot] = record.label;
    return start + aligned(planes * size ** 2);
  }

  /** The part of the arrays that `count` images and `bytes` bytes fill. */
  #view(count: number, bytes: number): Batch {
    const { images, pixels, offsets, channels, flips, angles, labels } = this.#full;
    return {
      images: images.subarray(0, count),
      pixels: pixels.subarray(0, bytes),
      offsets: offsets.subarray(0, count),
      channels: channels.subarray(0, count),
      flips: flips.subarray(0, count),
      angles: angles.subarray(0, count),
      labels: labels.subarray(0, count),
    };
  }
}

/**
 * The batches of `order`, each read while the one before is in use: a batch is valid until the next one is asked for.
 * What is read does not depend on how fast it is asked for.
 */
export async function* readAhead(
  packed: PackedSplit,
  order: readonly Uint32Array[],
  batchSize: number,
  augmentation?: AugmentationOptions,
): AsyncGenerator<Batch, void, undefined> {
  const writers = [new BatchWriter(packed, batchSize), new BatchWriter(packed, batchSize)];
  const begin = (index: number): Promise<Batch> | undefined => {
    const images = order[index];
    const batch = images && writers[index % 2]?.write(images, augmentation);
    // A fault is thrown where the batch is asked for.
    batch?.catch(() => {});
    return batch;
  };
  let next = begin(0);
  try {
    for (let index = 1; next; index++) {
      const batch = await next;
      next = begin(index);
      yield batch;
    }
  } finally {
    // Whoever stops early may close what is being read.
    await next?.catch(() => {});
  }
}
