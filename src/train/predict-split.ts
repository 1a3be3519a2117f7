import { evaluationOrder, readAhead } from '../data/batches.ts';
import type { PackedSplit } from '../data/packed.ts';
import type { Pending } from '../gpu/readback.ts';
import type { Inference } from '../models/inference.ts';
import type { Prediction } from './metrics.ts';

export interface SplitPredictions {
  /** One an image, in the split's order. */
  readonly predictions: Prediction[];
  /** Mean binary cross-entropy over the images, in float64 from the logits. */
  readonly loss: number;
}

export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** Binary cross-entropy of one logit, without overflow. */
const crossEntropy = (logit: number, label: number): number =>
  Math.max(logit, 0) - logit * label + Math.log1p(Math.exp(-Math.abs(logit)));

/** 3 where any image of the splits has colours, else 1. */
export const channelsOfSplits = (...splits: PackedSplit[]): 1 | 3 =>
  splits.some((packed) => packed.channels.includes(3)) ? 3 : 1;

/** Runs a network over all images of a split; an aborted `signal` makes it throw the signal's reason. */
export async function predictSplit(
  inference: Inference,
  packed: PackedSplit,
  onProgress?: (done: number, total: number) => void,
  signal?: AbortSignal,
): Promise<SplitPredictions> {
  const { images, studies } = packed.split;
  const { batchSize } = inference.options;
  const order = evaluationOrder(images.length, batchSize);
  const pending: { batch: Uint32Array; logits: Pending }[] = [];
  const logits = new Float64Array(images.length);
  let done = 0;
  const collect = async () => {
    const next = pending.shift();
    if (!next) return;
    const values = new Float32Array(await next.logits.value);
    next.batch.forEach((image, slot) => {
      logits[image] = values[slot] as number;
    });
    done += next.batch.length;
    onProgress?.(done, images.length);
  };
  onProgress?.(0, images.length);
  for await (const batch of readAhead(packed, order, batchSize)) {
    if (pending.length > 1) await collect();
    if (signal?.aborted) break;
    pending.push({ batch: batch.images.slice(), logits: await inference.run(batch) });
  }
  while (pending.length > 0) await collect();
  signal?.throwIfAborted();
  const predictions = images.map((image, index): Prediction => {
    const { region, patient, label, study } = image;
    const name = studies[study]?.path ?? String(study);
    return { region, patient, study: name, label, probability: sigmoid(logits[index] as number) };
  });
  const loss = images.reduce((sum, { label }, index) => sum + crossEntropy(logits[index] as number, label), 0);
  return { predictions, loss: loss / Math.max(1, images.length) };
}
