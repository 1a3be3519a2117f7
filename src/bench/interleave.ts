import { measure } from 'mitata';

/** What a series of runs took, in seconds. */
export interface Timing {
  readonly median: number;
  /** The middle half of the runs lies between them. */
  readonly lower: number;
  readonly upper: number;
  readonly runs: number;
}

/** One kind of run that is timed; gives its seconds. */
export type Run = () => Promise<number>;

/** A Timing of something that was run once. */
export const single = (seconds: number): Timing => ({ median: seconds, lower: seconds, upper: seconds, runs: 1 });

/**
 * Times several kinds of run in turn, one of each a round, so that what disturbs the machine for a while disturbs all
 * alike; one round before is not counted. Of more than 12 rounds the two fastest and the two slowest runs are left out.
 */
export function interleave(kinds: readonly Run[], rounds: number): Promise<Timing[]> {
  const turns = new Turns(kinds.length);
  return Promise.all(kinds.map((run, index) => sample(() => turns.take(index, run), rounds)));
}

/** mitata samples one function until it is done with it: all are sampled side by side, and each run waits for its turn. */
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
  });
  return { median: p50 / 1e9, lower: p25 / 1e9, upper: p75 / 1e9, runs: rounds };
}
