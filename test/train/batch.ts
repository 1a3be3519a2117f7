import { Random } from '../../src/base/random.ts';
import type { TrainingBatch } from '../../src/train/step.ts';

/** Grey images of random pixels that are neither flipped nor turned; every other one is abnormal. */
export function randomBatch(images: number, size: number, seed = 0): TrainingBatch {
  const random = new Random(seed);
  const area = size * size;
  return {
    pixels: Uint8Array.from({ length: images * area }, () => random.integer(256)),
    offsets: Uint32Array.from({ length: images }, (_, index) => index * area),
    channels: new Uint32Array(images).fill(1),
    flips: new Uint32Array(images),
    angles: new Float32Array(images),
    labels: Float32Array.from({ length: images }, (_, index) => (index + 1) % 2),
  };
}
