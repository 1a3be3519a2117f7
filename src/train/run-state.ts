import { required, UserError } from '../base/errors.ts';
import { parseObject } from '../base/json.ts';
import { formatShape } from '../base/shape.ts';
import type { Model } from '../models/model.ts';
import { readSafetensors, writeSafetensors } from '../weights/safetensors.ts';
import { type StateDict, toFloat32 } from '../weights/tensor-data.ts';
import { type AdamState, SCALER } from './adam-state.ts';
import type { Levels } from './metrics.ts';
import type { PlateauState } from './plateau.ts';

/** One line of metrics.jsonl. */
export interface EpochMetrics extends Levels {
  readonly epoch: number;
  readonly train_loss: number;
  readonly valid_loss: number;
  readonly learning_rate: number;
  readonly images_per_s: number;
  /** Images that the steps were run on; runs of earlier versions do not tell. */
  readonly train_images?: number;
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
  /** The learning rate that was asked for last, from which the schedule went on; older states do not tell. */
  readonly askedRate?: number;
  /** The best epoch so far and its measure; null before the first. */
  readonly best: { readonly epoch: number; readonly value: number } | null;
  readonly history: readonly EpochMetrics[];
}

const MOMENTS = { first: 'adam.exp_avg.', second: 'adam.exp_avg_sq.' } as const;
const WEIGHTS = 'model.';

/** Whether the weights of a state are those of the best epoch so far. */
export const isBest = ({ best, epoch, batch }: RunProgress): boolean => best?.epoch === epoch && batch === 0;

/** Where a run stands, in words such as `epoch 3` or `step 40 of epoch 4`; undefined at its start. */
export function whereItStands({ epoch, batch }: RunProgress): string | undefined {
  if (batch > 0) return `step ${batch} of epoch ${epoch + 1}`;
  return epoch === 0 ? undefined : `epoch ${epoch}`;
}

/**
 * Everything a resume needs in one file: weights, Adam's moments and step counts, the loss scale, and the progress as metadata.
 * `weights`: the model's state_dict.
 */
export async function packState(
  weights: StateDict,
  model: Model,
  adam: AdamState,
  progress: RunProgress,
): Promise<Uint8Array> {
  const tensors: StateDict = new Map();
  for (const [key, tensor] of weights) tensors.set(WEIGHTS + key, tensor);
  for (const moment of ['first', 'second'] as const) {
    for (const [key, tensor] of model.named(await adam[moment].read())) tensors.set(MOMENTS[moment] + key, tensor);
  }
  const scaler = await adam.readScaler();
  if (scaler) tensors.set(SCALER, { dtype: 'F32', shape: [scaler.length], data: scaler });
  const steps = { steps: String(adam.steps), adam_began: String(adam.began) };
  return writeSafetensors(tensors, { progress: JSON.stringify(progress), ...steps, model: model.definition.name });
}

/** The state file of a run: its tensors, and where the run stands. */
interface StateFile {
  readonly tensors: StateDict;
  readonly steps: number;
  readonly began: number;
  readonly progress: RunProgress;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** The progress that a state's metadata holds; undefined where it holds none. */
function parseProgress(text: string): RunProgress | undefined {
  // Older states lack the pace.
  const progress = { seconds: 0, images: 0, ...parseObject(text) } as Partial<RunProgress>;
  const { epoch, batch, lossSum, seconds, images, schedule, history, best } = progress;
  const known =
    isCount(epoch) &&
    isCount(batch) &&
    [lossSum, seconds, images, schedule?.learningRate].every(Number.isFinite) &&
    Array.isArray(history) &&
    best !== undefined;
  return known ? (progress as RunProgress) : undefined;
}

function readState(file: string, bytes: Uint8Array, model: string): StateFile {
  const { tensors, metadata } = readSafetensors(file, bytes);
  if (metadata.model !== model) {
    throw new UserError(
      `${file}: expected the state of a ${model} run but it is ` +
        `${metadata.model ? `one of ${metadata.model}` : 'another file'}: resume the run folder it belongs to`,
    );
  }
  const progress = parseProgress(metadata.progress ?? '');
  const [steps, began] = [Number(metadata.steps), Number(metadata.adam_began ?? 0)];
  if (progress && isCount(steps) && isCount(began)) return { tensors, steps, began, progress };
  throw new UserError(`${file} does not say where its run stands: start a new run from it with --pretrained`);
}

/** Where the run of a state file stands. */
export const readProgress = (file: string, bytes: Uint8Array, model: string): RunProgress =>
  readState(file, bytes, model).progress;

/** Takes a state file over into the model and Adam, all of it or nothing; `file` is for messages. */
export function unpackState(file: string, bytes: Uint8Array, model: Model, adam: AdamState): RunProgress {
  const { tensors, steps, began, progress } = readState(file, bytes, model.definition.name);
  const part = (prefix: string): StateDict =>
    new Map(
      [...tensors].flatMap(([key, tensor]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), tensor]] : [])),
    );
  const moments = { first: part(MOMENTS.first), second: part(MOMENTS.second) };
  for (const { key, shape } of model.specs.flatMap(({ kind, entries }) => (kind === 'parameter' ? entries : []))) {
    for (const moment of ['first', 'second'] as const) {
      const found = moments[moment].get(key);
      if (found && formatShape(found.shape) === formatShape(shape)) continue;
      throw new UserError(
        `${file}: ${MOMENTS[moment]}${key} is ${found ? formatShape(found.shape) : 'missing'}, expected ` +
          `${formatShape(shape)}: resume the run folder it belongs to`,
      );
    }
  }
  model.load(file, part(WEIGHTS), model.normalisation);
  for (const moment of ['first', 'second'] as const) {
    model.writeNamed(adam[moment], (key) => toFloat32(required(moments[moment].get(key), key)));
  }
  adam.steps = steps;
  adam.began = began;
  const scaler = tensors.get(SCALER);
  if (scaler) resumeScaler(adam, toFloat32(scaler));
  return progress;
}

/** Where this adapter trains in f32 what was trained in f16, Adam goes on from the steps that did not overflow. */
function resumeScaler(adam: AdamState, state: Float32Array<ArrayBuffer>): void {
  if (adam.scaler) adam.scaler.write(SCALER, state);
  else adam.began = adam.steps - (state[2] as number);
}
