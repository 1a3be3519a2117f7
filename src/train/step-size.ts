import { OutOfMemoryError, required, UserError } from '../base/errors.ts';

/** The paper's mini-batches, the largest first. */
const BATCHES = [64, 32, 16] as const;
const SMALLEST = Math.min(...BATCHES);

/** Images of a step, and of each of its forward and backward passes. */
export interface StepSize {
  readonly batchSize: number;
  readonly microBatch: number;
}

/** What is asked for; null: the largest micro-batch that fits. */
export interface WantedSize {
  readonly batchSize: number | 'auto';
  readonly microBatch: number | null;
}

/** Throws where no batch can consist of such micro-batches. */
export function checkMicroBatch({ batchSize, microBatch }: WantedSize): void {
  const batches: readonly number[] = batchSize === 'auto' ? BATCHES : [batchSize];
  if (microBatch === null || batches.some((size) => size % microBatch === 0)) return;
  throw new UserError(
    `--micro-batch ${microBatch} does not divide a batch of ${batches.join(' or ')} images: choose one that does`,
  );
}

/**
 * The sizes to try, the best first. A step takes at most all images. `auto` takes the largest of 64, 32 and 16. The last
 * batch is then tried in smaller and smaller micro-batches.
 */
export function stepSizes(wanted: WantedSize, images: number): StepSize[] {
  const chosen = BATCHES.filter((size) => size === SMALLEST || size <= images);
  const batches = (wanted.batchSize === 'auto' ? chosen : [wanted.batchSize]).map((size) => Math.min(size, images));
  if (wanted.microBatch === null) {
    const last = batches.at(-1) ?? 1;
    const divisors = Array.from({ length: last }, (_, index) => last - index).filter((size) => last % size === 0);
    return [
      ...batches.slice(0, -1).map((size) => ({ batchSize: size, microBatch: size })),
      ...divisors.map((microBatch) => ({ batchSize: last, microBatch })),
    ];
  }
  const largest = wanted.microBatch;
  const sizes = batches
    .map((batchSize) => ({ batchSize, microBatch: Math.min(largest, batchSize) }))
    .filter(({ batchSize, microBatch }) => batchSize % microBatch === 0);
  if (sizes.length > 0) return sizes;
  throw new UserError(
    `--micro-batch ${largest} does not divide a batch of ${batches.join(' or ')} images: choose one that does`,
  );
}

/** What `make` makes of the first of the sizes that fits the adapter; throws the last OutOfMemoryError where none does. */
export async function firstThatFits<S, T>(sizes: readonly S[], make: (size: S) => Promise<T>): Promise<T> {
  let refused: OutOfMemoryError | undefined;
  for (const size of sizes) {
    try {
      return await make(size);
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
      refused = error;
    }
  }
  throw required(refused, 'a batch size to try');
}
