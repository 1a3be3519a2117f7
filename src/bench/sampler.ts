import { measure } from 'mitata';
import type { Run, Timing } from './interleave.ts';

/**
 * As `interleave`, sampled by mitata: what the commands time with. mitata makes functions of strings, which a page with a
 * strict Content-Security-Policy must not.
 */
export function interleaveSampled(kinds: readonly Run[], rounds: number): Promise<Timing[]> {
  const turns = new Turns(kinds.length);
  return Promise.all(kinds.map((run, index) => sample(() => turns.take(index, run), rounds)));
}

class Turns {
  readonly #count: number;
  readonly #waiting = new Map<number, () => void>();
  #next = 0;

  constructor(count: number) {
    this.#count = count;
  }

  async take<T>(index: number, run: () => Promise<T>): Promise<T> {
    if (index !== this.#next) await new Promise<void>((resolve) => this.#waiting.set(index, resolve));
    const result = await run();
    this.#next = (this.#next + 1) % this.#count;
    const wake = this.#waiting.get(this.#next);
    this.#waiting.delete(this.#next);
    wake?.();
    return result;
  }
}

async function sample(run: Run, rounds: number): Promise<Timing> {
  // `manual`: a run tells its own time, in nanoseconds; mitata's clock would count the waiting too.
  const trial = function* () {
    yield { manual: async () => 1e9 * (await run()) } as unknown as () => number;
  };
  const { p25, p50, p75 } = await measure(trial, {
    min_samples: rounds,
    max_samples: rounds,
    min_cpu_time: 0,
    warmup_threshold: -1,
    gc: false,
    // By default the two fastest and the two slowest of more than 12 runs are not counted.
    samples_threshold: rounds,
  });
  return { median: p50 / 1e9, lower: p25 / 1e9, upper: p75 / 1e9, runs: rounds };
}
