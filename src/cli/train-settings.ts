import { createHash } from 'node:crypto';
import { UsageError, UserError } from '../base/errors.ts';
import type { Split } from '../data/mura.ts';
import type { Normalisation } from '../kernels/augment.ts';
import type { ModelDefinition } from '../models/definition.ts';
import { hasDropout } from '../models/model.ts';
import type { RunConfig, RunFolder } from '../train/run-folder.ts';
import { checkMicroBatch } from '../train/step-size.ts';
import type { Context } from './command.ts';
import type { Options } from './options.ts';
import { asUsage } from './usage.ts';
import { packageVersion } from './version.ts';

/** Where the phantom set of a run without --data lies. */
export const PHANTOM_FOLDER = 'data/phantom';

export type TrainOptions = Options<'train'>;
/** What a run's config says before its data and its adapter are known. */
export interface Settings
  extends Omit<RunConfig, 'adapter' | 'driver' | 'data_fingerprint' | 'batch_size' | 'micro_batch' | 'normalisation'> {
  /** What fits is chosen once the data and the adapter are known; null: as much of a batch as fits. */
  readonly batch_size: number | 'auto';
  readonly micro_batch: number | null;
  /** Of a run that goes on; a new one takes that of its pretrained weights. */
  readonly normalisation?: Normalisation;
}

/** The settings of a new run; throws where its options contradict each other. */
export function newSettings(options: TrainOptions, { isGiven }: Pick<Context, 'isGiven'>): Settings {
  const { batchSize, microBatch = null } = options;
  asUsage(() => checkMicroBatch({ batchSize, microBatch }));
  if ((options.freeze || options.freezeEpochs) && !options.pretrained) {
    throw new UsageError('frozen features that are drawn at random learn nothing: give --pretrained too');
  }
  if (!options.augment && isGiven('maxRotation')) {
    throw new UsageError('--no-augment turns no image: leave out --max-rotation');
  }
  return settingsOf(options);
}

/** Throws where an option asks for what the network does not have. */
export function checkNetwork({ dropout }: Settings, definition: ModelDefinition): void {
  if (dropout === null || hasDropout(definition)) return;
  throw new UsageError(`${definition.name} has no layers of dropout: leave out --dropout`);
}

/** The parts of a run that train different weights. */
export interface Phase {
  /** Epochs that are complete at its end. */
  readonly until: number;
  readonly freeze: 'features' | undefined;
}

/** The phases of a run, in their order; the last one trains the most weights. */
export function phasesOf({ epochs, freeze, freeze_epochs: frozen }: Settings): readonly Phase[] {
  const last = { until: epochs, freeze: undefined };
  if (freeze === null) return [last];
  if (frozen === null || frozen >= epochs) return [{ until: epochs, freeze }];
  return [{ until: frozen, freeze }, last];
}

/** What the options say. */
function settingsOf(options: TrainOptions): Settings {
  const { batchSize, microBatch = null } = options;
  return {
    version: packageVersion(),
    command: 'train',
    model: options.model,
    image_size: options.imageSize,
    batch_size: batchSize,
    micro_batch: microBatch,
    epochs: options.epochs,
    learning_rate: options.lr,
    seed: options.seed,
    max_rotation: options.augment ? options.maxRotation : null,
    plateau_patience: options.plateauPatience,
    best: options.best,
    pretrained: options.pretrained ?? null,
    freeze: options.freeze ?? (options.freezeEpochs ? 'features' : null),
    freeze_epochs: options.freezeEpochs ?? null,
    dropout: options.dropout ?? null,
    class_weights: options.classWeights,
    early_stop: options.earlyStop ?? null,
    save_minutes: options.saveMinutes,
    limit: options.limit ?? null,
    no_fuse: options.noFuse,
    precision: options.precision,
    data: options.data ?? PHANTOM_FOLDER,
  };
}

/** Options that a resume cannot change, and where a run's config holds them. */
const FIXED = {
  model: 'model',
  imageSize: 'image_size',
  batchSize: 'batch_size',
  microBatch: 'micro_batch',
  seed: 'seed',
  augment: 'max_rotation',
  maxRotation: 'max_rotation',
  plateauPatience: 'plateau_patience',
  best: 'best',
  pretrained: 'pretrained',
  freeze: 'freeze',
  freezeEpochs: 'freeze_epochs',
  dropout: 'dropout',
  classWeights: 'class_weights',
  limit: 'limit',
  noFuse: 'no_fuse',
  precision: 'precision',
} as const satisfies Partial<Record<keyof TrainOptions, keyof Settings>>;

/** Options that a resume may change. */
const FREE = {
  epochs: 'epochs',
  lr: 'learning_rate',
  data: 'data',
  earlyStop: 'early_stop',
  saveMinutes: 'save_minutes',
} as const;

/** Whether two settings say the same; names in any order. */
const isSame = (a: unknown, b: unknown): boolean =>
  Array.isArray(a) && Array.isArray(b) ? [...a].sort().join() === [...b].sort().join() : a === b;

/** A run's own config with what the command line changes; an option that would make another run of it is wrong usage. */
export function resumedSettings(
  { path }: RunFolder,
  config: RunConfig,
  options: TrainOptions,
  { isGiven }: Context,
): RunConfig {
  if (options.out) throw new UsageError(`--resume goes on in ${path}: leave out --out`);
  if (options.tune) throw new UsageError(`--resume goes on with the kernels that ${path} records: leave out --tune`);
  const asked = settingsOf(options);
  for (const [option, key] of Object.entries(FIXED)) {
    if (!isGiven(option) || isSame(asked[key], config[key])) continue;
    throw new UsageError(`${path} has ${key} ${config[key]}, not ${asked[key]}: leave that out, or start a new run`);
  }
  const changed = Object.entries(FREE).flatMap(([option, key]) => (isGiven(option) ? [[key, asked[key]]] : []));
  return { ...config, ...Object.fromEntries(changed) };
}

/** A hash of what is in a data set: paths and labels of the images that are used. */
export function fingerprint(...splits: Split[]): string {
  const hash = createHash('sha256');
  for (const { images } of splits) for (const { path, label } of images) hash.update(`${path},${label}\n`);
  return hash.digest('hex').slice(0, 16);
}

/** Throws where a run would go on with other images than it began with. */
export function checkSameImages({ path }: RunFolder, config: RunConfig, found: string): void {
  if (config.data_fingerprint === found) return;
  throw new UserError(
    `${path} was trained on other images than ${config.data} holds: give the data set it began with as --data`,
  );
}
