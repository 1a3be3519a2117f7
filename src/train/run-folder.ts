import { UserError } from '../base/errors.ts';
import type { FileSystem } from '../base/files.ts';
import type { Model } from '../models/model.ts';
import { writeSafetensors } from '../weights/safetensors.ts';
import { packState, type RunProgress } from './run-state.ts';
import type { AdamState } from './step.ts';

/** All options of a run as resolved, and where it ran. */
export interface RunConfig {
  readonly version: string;
  readonly command: string;
  readonly model: string;
  readonly image_size: number;
  readonly batch_size: number;
  readonly learning_rate: number;
  readonly seed: number;
  readonly max_rotation: number | null;
  readonly plateau_patience: number;
  readonly best: 'loss' | 'kappa';
  readonly pretrained: string | null;
  /** Only the first so many images of each split. */
  readonly limit: number | null;
  readonly data: string;
  /** Number of images and studies of each split, and a hash of their paths and labels. */
  readonly data_fingerprint: string;
  readonly adapter: string;
  readonly driver: string;
}

export const RUN_FILES = {
  config: 'config.json',
  metrics: 'metrics.jsonl',
  state: 'state.safetensors',
  best: 'best.safetensors',
  last: 'last.safetensors',
  predictions: 'predictions.csv',
} as const;

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

  /** Throws where the folder holds a run already, or cannot be made. */
  async refuseExisting(): Promise<void> {
    if (await this.#files.exists(this.file('config'))) {
      throw new UserError(
        `${this.path} holds a run already: go on with --resume ${this.path}, or choose another --out`,
      );
    }
    await this.#files.makeDirectory(this.path);
  }

  /** Writes the config of a new run. */
  async create(config: RunConfig): Promise<void> {
    await this.#files.makeDirectory(this.path);
    await this.#files.writeAtomic(this.file('config'), `${JSON.stringify(config, null, 2)}\n`);
  }

  async readConfig(): Promise<RunConfig> {
    if (!(await this.#files.exists(this.file('config')))) {
      throw new UserError(`${this.path} is no run folder: it has no ${RUN_FILES.config}`);
    }
    try {
      return JSON.parse(await this.#files.readText(this.file('config'))) as RunConfig;
    } catch (error) {
      if (error instanceof SyntaxError)
        throw new UserError(`${this.file('config')} is not valid JSON: ${error.message}`);
      throw error;
    }
  }

  /** Bytes of the state, or undefined where the run has not saved one yet. */
  async readState(): Promise<Uint8Array | undefined> {
    return (await this.#files.exists(this.file('state'))) ? this.#files.readBytes(this.file('state')) : undefined;
  }

  /** Writes the state, then what is derived from it. */
  async save(model: Model, adam: AdamState, progress: RunProgress, improved: boolean): Promise<void> {
    await this.#files.writeAtomic(this.file('state'), await packState(model, adam, progress));
    const lines = progress.history.map((epoch) => `${JSON.stringify(epoch)}\n`);
    await this.#files.writeAtomic(this.file('metrics'), lines.join(''));
    const weights = writeSafetensors(await model.stateDict(), { model: model.definition.name });
    await this.#files.writeAtomic(this.file('last'), weights);
    if (improved) await this.#files.writeAtomic(this.file('best'), weights);
  }
}
