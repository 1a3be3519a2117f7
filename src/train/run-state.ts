import { required, UserError } from '../base/errors.ts';
import type { Model } from '../models/model.ts';
import { readSafetensors, writeSafetensors } from '../weights/safetensors.ts';
import { type StateDict, toFloat32 } from '../weights/tensor-data.ts';
import type { Levels } from './metrics.ts';
import type { PlateauState } from './plateau.ts';
import type { AdamState } from './step.ts';

/** One line of metrics.jsonl. */
export interface EpochMetrics extends Levels {
  readonly epoch: number;
  readonly train_loss: number;
  readonly valid_loss: number;
  readonly learning_rate: number;
  readonly images_per_s: number;
}

/** Where a run stands: all that a resume needs beside the tensors. */
export interface RunProgress {
  /** Epochs that are complete. */
  readonly epoch: number;
  /** Batches of the next epoch that are done, and the sum of their losses. */
  readonly batch: number;
  readonly lossSum: number;
  /** The seconds that these batches took, and how many images were trained on in them. */
  readonly seconds: number;
  readonly images: number;
  readonly schedule: PlateauState;
  /** The best epoch so far and its measure; null before the first. */
  readonly best: { readonly epoch: number; readonly value: number } | null;
  readonly history: readonly EpochMetrics[];
}

const MOMENTS = { first: 'adam.exp_avg.', second: 'adam.exp_avg_sq.' } as const;
const WEIGHTS = 'model.';

/** Everything a resume needs in one file: weights, Adam's moments and step count, and the progress as metadata. */
export async function packState(model: Model, adam: AdamState, progress: RunProgress): Promise<Uint8Array> {
  const tensors: StateDict = new Map();
  for (const [key, tensor] of await model.stateDict()) tensors.set(WEIGHTS + key, tensor);
  for (const moment of ['first', 'second'] as const) {
    for (const [key, tensor] of model.named(await adam[moment].read())) tensors.set(MOMENTS[moment] + key, tensor);
  }
  const metadata = { progress: JSON.stringify(progress), steps: String(adam.steps), model: model.definition.name };
  return writeSafetensors(tensors, metadata);
}

/** Takes a state file over into the model and Adam; `file` is for messages. */
export function unpackState(file: string, bytes: Uint8Array, model: Model, adam: AdamState): RunProgress {
  const { tensors, metadata } = readSafetensors(file, bytes);
  if (metadata.model !== model.definition.name || !metadata.progress || !metadata.steps) {
    throw new UserError(
      `${file}: expected the state of a ${model.definition.name} run but it is ` +
        `${metadata.model ? `one of ${metadata.model}` : 'another file'}: resume the run folder it belongs to`,
    );
  }
  const part = (prefix: string): StateDict =>
    new Map(
      [...tensors].flatMap(([key, tensor]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), tensor]] : [])),
    );
  model.load(file, part(WEIGHTS), model.normalisation);
  for (const moment of ['first', 'second'] as const) {
    const values = part(MOMENTS[moment]);
    model.writeNamed(adam[moment], (key) => toFloat32(required(values.get(key), `${file}: ${MOMENTS[moment]}${key}`)));
  }
  adam.steps = Number(metadata.steps);
  // Older states lack the pace.
  const progress = JSON.parse(metadata.progress) as Omit<RunProgress, 'seconds' | 'images'>;
  return { seconds: 0, images: 0, ...progress };
}
