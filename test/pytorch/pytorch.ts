import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import { PYTHON } from '../support/pytorch.ts';

const SCRIPT = fileURLToPath(new URL('answer.py', import.meta.url));

/** What each job of answer.py takes and answers. */
interface Jobs {
  save: { takes: { model: string; file: string }; answers: { logits: number[] } };
  load: { takes: { file: string }; answers: { keys: number; differing: string[]; logits: number[] } };
  predict: {
    takes: { model: string; file: string; images: readonly string[]; size: number };
    answers: { probabilities: number[]; noise: number };
  };
}

/** A Python process that answers one job after the other. */
class PyTorch {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: AsyncIterator<string>;
  readonly #closed: Promise<unknown>;
  #stderr = '';

  constructor() {
    this.#process = spawn(PYTHON, [SCRIPT], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#closed = once(this.#process, 'close');
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    // A process that has died answers nothing: `ask` says why.
    this.#process.stdin.on('error', () => {});
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async ask<J extends keyof Jobs>(job: J, takes: Jobs[J]['takes']): Promise<Jobs[J]['answers']> {
    this.#process.stdin.write(`${JSON.stringify({ job, ...takes })}\n`);
    const { value, done } = await this.#lines.next();
    if (done) {
      await this.#closed;
      throw new Error(`${PYTHON} ended at "${job}":\n${this.#stderr}`);
    }
    return JSON.parse(value);
  }

  end(): void {
    this.#process.kill();
  }
}

/** PyTorch for the tests of a `describe`, started before the first and ended after the last. */
export function usePyTorch(): () => PyTorch {
  let pytorch: PyTorch | undefined;
  beforeAll(() => {
    pytorch = new PyTorch();
  });
  afterAll(() => pytorch?.end());
  return () => {
    if (!pytorch) throw new Error('PyTorch is started before the first test');
    return pytorch;
  };
}
