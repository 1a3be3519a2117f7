import { UserError } from '../base/errors.ts';

/** Slack for what a small file's objects need. */
const SLACK = 1 << 20;

/**
 * What reading a file may allocate: at most 4 times the file's size and 1 MiB. A damaged or hostile file of a few bytes
 * can describe any number of objects and tensors of any size.
 */
export class MemoryBudget {
  readonly #file: string;
  readonly #limit: number;
  #used = 0;

  constructor(file: string, fileBytes: number) {
    this.#file = file;
    this.#limit = 4 * fileBytes + SLACK;
  }

  /** Takes `bytes` from the budget. Throws UserError where it does not have them; `what` needs them. */
  take(bytes: number, what: string): void {
    this.#used += bytes;
    if (this.#used <= this.#limit) return;
    throw new UserError(
      `${this.#file}: ${what} needs ${bytes} bytes, more than 4 times the file in all (${this.#limit}); get the file again`,
    );
  }
}
