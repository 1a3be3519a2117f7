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

/** Times kinds of run in turn, `rounds` of each. */
export type Interleave = (kinds: readonly Run[], rounds: number) => Promise<Timing[]>;

/** A Timing of something that was run once. */
export const single = (seconds: number): Timing => ({ median: seconds, lower: seconds, upper: seconds, runs: 1 });

/**
 * Times several kinds of run in turn, one of each a round, so that what disturbs the machine for a while disturbs all
 * alike; one round before is not counted.
 */
export async function interleave(kinds: readonly Run[], rounds: number): Promise<Timing[]> {
  const samples = kinds.map((): number[] => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, run] of kinds.entries()) {
      const seconds = await run();
      if (round > 0) samples[index]?.push(seconds);
    }
  }
  return samples.map(summarise);
}

/** Median and quartiles, each a run that was timed. */
function summarise(samples: readonly number[]): Timing {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] as number;
  return { median: at(0.5), lower: at(0.25), upper: at(0.75), runs: samples.length };
}
