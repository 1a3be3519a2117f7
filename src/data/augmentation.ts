import { fnv1a32, Random } from '../base/random.ts';

const STREAM = fnv1a32('augmentation');

/** How one image is changed: mirrored left to right first, then turned. */
export interface Augmentation {
  flip: boolean;
  /** Counter-clockwise, in degrees. */
  angle: number;
}

/**
 * The augmentation of an image in an epoch: mirrored with probability 0.5, turned by an angle uniform in
 * [-maxRotation, maxRotation] degrees. Depends on nothing but its arguments, so neither batches nor resumes change it.
 */
export function drawAugmentation(seed: number, epoch: number, image: number, maxRotation: number): Augmentation {
  const random = new Random(seed, STREAM, epoch, image);
  return { flip: random.chance(0.5), angle: random.uniform(-maxRotation, maxRotation) };
}
