import { UserError } from '../base/errors.ts';
import type { FileSystem } from '../base/files.ts';
import { parseObject } from '../base/json.ts';
import type { Precision } from '../base/traits.ts';
import type { PassName } from '../graph/passes/index.ts';
import type { Normalisation } from '../kernels/augment.ts';
import type { Model } from '../models/model.ts';
import { writeSafetensors } from '../weights/safetensors.ts';
import type { StateDict } from '../weights/tensor-data.ts';
import type { AdamState } from './adam-state.ts';
import { type ChoicesFile, formatChoices, parseChoices } from './choices-file.ts';
import { isBest, packState, type RunProgress, readProgress } from './run-state.ts';

/**
 * The options of a run that a resume keeps, as resolved, and where it ran. --max-steps and --adapter are not among them:
 * each call has its own.
 */
export interface RunConfig {
  readonly version: string;
  readonly command: string;
  readonly model: string;
  readonly image_size: number;
  readonly batch_size: number;
  /** Images of one forward and backward pass, over which batch norm takes its statistics. */
  readonly micro_batch: number;
  /** Epochs in all; like the learning rate and the place of the data, a resume may change it. */
  readonly epochs: number;
  readonly learning_rate: number;
  readonly seed: number;
  readonly max_rotation: number | null;
  readonly plateau_patience: number;
  readonly best: 'loss' | 'kappa';
  readonly pretrained: string | null;
  /** What does not learn, and in which first epochs; null: in all. */
  readonly freeze: 'features' | null;
  readonly freeze_epochs: number | null;
  /** Probability of every dropout layer; null: each layer's own. */
  readonly dropout: number | null;
  /** Whether the training loss weighs images by region and class. */
  readonly class_weights: boolean;
  /** Epochs without a better one after which the run ends. */
  readonly early_stop: number | null;
  /** Between two saves within an epoch. */
  readonly save_minutes: number;
  /** Only the first so many images of each split. */
  readonly limit: number | null;
  /** Rewrites of the plan that are left out. */
  readonly no_fuse: readonly PassName[];
  /** How images are normalised: as the weights that the run began with want it. */
  readonly normalisation: Normalisation;
  /** In which maps and their gradients are stored: what ran, where the adapter could not do what was asked for. */
  readonly precision: Precision;
  readonly data: string;
  /** A hash of the paths and labels of the images of both splits, as far as they are used. */
  readonly data_fingerprint: string;
  readonly adapter: string;
  readonly driver: string;
}

export const RUN_FILES = {
  config: 'config.json',
  choices: 'choices.json',
  metrics: 'metrics.jsonl',
  state: 'state.safetensors',
  best: 'best.safetensors',
  last: 'last.safetensors',
  predictions: 'predictions.csv',
  lock: 'lock',
  report: 'report.html',
} as const;

/** What a config of before there was such an option means. */
const ABSENT = {
  normalisation: 'imagenet',
  no_fuse: [],
  precision: 'f32',
  freeze: null,
  freeze_epochs: null,
  dropout: null,
  class_weights: false,
  early_stop: null,
  save_minutes: 10,
} as const satisfies Partial<RunConfig>;

/** The files of a run. */
export class RunFolder {
  readonly path: string;
  readonly #files: FileSystem;

  constructor(files: FileSystem, path: string) {
    this.#files = files;
    this.path = path.replace(/\/+$/, '');
  }

  file(name: keyof typeof RUN_FILES): string {
    return `${this.path}/${RUN_FILES[name]}`;
  }

  /** Whether the folder holds a run. */
  hasConfig(): Promise<boolean> {
    return this.#files.exists(this.file('config'));
  }

  /** Throws where the folder holds a run already. */
  async refuseExisting(): Promise<void> {
    if (await this.hasConfig()) {
      throw new UserError(
        `${this.path} holds a run already: go on with --resume ${this.path}, or choose another --out`,
      );
    }
  }

  /** Writes the config of a new run, or of one that goes on otherwise than it began. */
  async writeConfig(config: RunConfig): Promise<void> {
    await this.#files.writeAtomic(this.file('config'), `${JSON.stringify(config, null, 2)}\n`);
  }

  async readConfig(): Promise<RunConfig> {
    const file = this.file('config');
    if (!(await this.hasConfig())) {
      throw new UserError(`${this.path} is no run folder: it has no ${RUN_FILES.config}`);
    }
    const config = parseObject(await this.#files.readText(file));
    if (typeof config?.model !== 'string' || typeof config.image_size !== 'number') {
      throw new UserError(`${file} is no run's config: expected a JSON object with "model" and "image_size"`);
    }
    // Older runs took every batch whole.
    return { ...ABSENT, micro_batch: config.batch_size, ...config } as unknown as RunConfig;
  }

  /** Writes which kernels the run takes. */
  async writeChoices(choices: ChoicesFile): Promise<void> {
    await this.#files.writeAtomic(this.file('choices'), formatChoices(choices));
  }

  /** Which kernels the run takes; undefined for a run of before they were kept, which took the first that fit. */
  async readChoices(): Promise<ChoicesFile | undefined> {
    const file = this.file('choices');
    if (!(await this.#files.exists(file))) return undefined;
    return parseChoices(file, await this.#files.readText(file));
  }

  /** Bytes of the state, or undefined where the run has not saved one yet. */
  async readState(): Promise<Uint8Array | undefined> {
    return (await this.#files.exists(this.file('state'))) ? this.#files.readBytes(this.file('state')) : undefined;
  }

  /** Where the saved run stands; undefined where none is saved yet. */
  async readProgress(model: string): Promise<RunProgress | undefined> {
    const state = await this.readState();
    return state && readProgress(this.file('state'), state, model);
  }

  /** Writes the state and then, from it, the other files of a run. */
  async save(model: Model, adam: AdamState, progress: RunProgress, imageSize: number): Promise<void> {
    const weights = await model.stateDict();
    if (isBest(progress)) await this.#forgetFindings();
    await this.#files.writeAtomic(this.file('state'), await packState(weights, model, adam, progress));
    await this.#derive(weights, model, progress, imageSize);
  }

  /**
   * Makes a run's files those of its state, which the model holds: a run may have ended anywhere between two writes. A
   * best epoch whose weights are gone is forgotten. Returns the progress that the files stand for.
   */
  async restore(model: Model, progress: RunProgress, imageSize: number): Promise<RunProgress> {
    await this.#derive(await model.stateDict(), model, progress, imageSize);
    return (await this.#files.exists(this.file('best'))) ? progress : { ...progress, best: null };
  }

  /** The weights as last, and as best where they are the best, and the metrics. */
  async #derive(weights: StateDict, model: Model, progress: RunProgress, imageSize: number): Promise<void> {
    const { definition, normalisation } = model;
    const bytes = writeSafetensors(weights, {
      model: definition.name,
      image_size: String(imageSize),
      normalisation,
    });
    if (isBest(progress)) await this.#files.writeAtomic(this.file('best'), bytes);
    await this.#files.writeAtomic(this.file('last'), bytes);
    const lines = progress.history.map((epoch) => `${JSON.stringify(epoch)}\n`);
    await this.#files.writeAtomic(this.file('metrics'), lines.join(''));
  }

  /** Removes what was measured of weights that are about to be replaced. */
  async #forgetFindings(): Promise<void> {
    for (const name of ['predictions', 'report'] as const) await this.#files.remove(this.file(name));
  }

  /** Removes what training that was killed while it wrote left beside its files. */
  async removeLeftovers(): Promise<void> {
    const { config, choices, metrics, state, best, last } = RUN_FILES;
    const own: readonly string[] = [config, choices, metrics, state, best, last];
    for (const name of await this.#files.list(this.path)) {
      const [, target = ''] = /^(.+)\.[0-9a-f-]+\.tmp$/.exec(name) ?? [];
      if (own.includes(target)) await this.#files.remove(`${this.path}/${name}`);
    }
  }
}
