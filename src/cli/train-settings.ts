import { createHash } from 'node:crypto';
import { UsageError, UserError } from '../base/errors.ts';
import type { Split } from '../data/mura.ts';
import type { Normalisation } from '../kernels/augment.ts';
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

/** The settings of a new run; throws where its micro-batches do not divide a batch. */
export function newSettings(options: TrainOptions): Settings {
  const { batchSize, microBatch = null } = options;
  asUsage(() => checkMicroBatch({ batchSize, microBatch }));
  return settingsOf(options);
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
    limit: options.limit ?? null,
    no_fuse: options.noFuse,
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
  limit: 'limit',
  noFuse: 'no_fuse',
} as const satisfies Partial<Record<keyof TrainOptions, keyof Settings>>;

/** Options that a resume may change. */
const FREE = { epochs: 'epochs', lr: 'learning_rate', data: 'data' } as const;

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
