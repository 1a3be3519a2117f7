import type { CommandName, Options } from './options.ts';

/** What a command gives: main prints one of the two. */
export interface Output {
  readonly json: object;
  readonly text: string;
  /** The output tells of a failure: exit code 1. */
  readonly failed?: boolean;
}

/** A bar on a terminal, a line now and then elsewhere. */
export interface Progress {
  /** `total` may change, e.g. when it was not known at first; `detail` such as `loss 0.69` is shown beside the pace. */
  update(done: number, total: number, detail?: string): void;
  /** Ends the bar; what was drawn stays, unless the progress is `passing`. */
  end(): void;
}

/** What a command may use of its surroundings. */
export interface Context {
  /** Writes a line to stderr. */
  note(line: string): void;
  /** Shows progress on stderr; `unit` is a plural such as `images`. `passing`: another line tells of the end. */
  progress(label: string, unit: string, options?: { passing?: boolean }): Progress;
  /** Whether the command line gives this option of the command's table, rather than leaving it to its default. */
  isGiven(option: string): boolean;
  /**
   * From the call on, SIGINT and SIGTERM abort the returned signal, so that the command can save and throw the signal's
   * reason; a second one ends the process at once.
   */
  interruption(): AbortSignal;
}

/** The module of a command, src/cli/NAME.ts. */
export interface CommandModule<N extends CommandName> {
  run(options: Options<N>, context: Context): Promise<Output>;
}
