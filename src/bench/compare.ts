import type { KernelResult } from './kernels.ts';

/** A kernel in two runs of the benchmark. */
export interface Change {
  readonly case: string;
  readonly name: string;
  readonly variant: string;
  readonly before_ms: number;
  readonly after_ms: number;
  /** after / before: above 1 is slower. */
  readonly ratio: number;
}

export interface Comparison {
  /** The most changed first. */
  readonly slower: readonly Change[];
  readonly faster: readonly Change[];
  readonly unchanged: number;
  /** In one of the two runs only. */
  readonly added: readonly string[];
  readonly missing: readonly string[];
}

type Timed = Pick<KernelResult, 'case' | 'name' | 'variant' | 'median_ms' | 'lower_ms' | 'upper_ms' | 'runs'>;

/** A smaller change of the median is taken for noise, however narrow the runs lie. */
const LEAST_CHANGE = 0.05;
/** The same for what was run once. */
const LEAST_CHANGE_OF_ONE = 0.5;

const keyOf = (result: Timed): string => `${result.case} (${result.variant})`;

/** Whether the middle halves of the runs lie apart, and the medians by more than 5 %; single runs by more than half. */
function differs(a: Timed, b: Timed): boolean {
  const apart = a.upper_ms < b.lower_ms || b.upper_ms < a.lower_ms;
  const least = Math.min(a.runs, b.runs) > 1 ? LEAST_CHANGE : LEAST_CHANGE_OF_ONE;
  return apart && Math.max(a.median_ms / b.median_ms, b.median_ms / a.median_ms) > 1 + least;
}

/** What changed by more than noise from one run to another of the same cases on the same adapter. */
export function compareKernels(before: readonly Timed[], after: readonly Timed[]): Comparison {
  const earlier = new Map(before.map((result) => [keyOf(result), result]));
  const later = new Set(after.map(keyOf));
  const changes: Change[] = [];
  let unchanged = 0;
  for (const now of after) {
    const then = earlier.get(keyOf(now));
    if (!then) continue;
    if (!differs(then, now)) {
      unchanged++;
      continue;
    }
    changes.push({
      case: now.case,
      name: now.name,
      variant: now.variant,
      before_ms: then.median_ms,
      after_ms: now.median_ms,
      ratio: now.median_ms / then.median_ms,
    });
  }
  return {
    slower: changes.filter(({ ratio }) => ratio > 1).sort((a, b) => b.ratio - a.ratio),
    faster: changes.filter(({ ratio }) => ratio < 1).sort((a, b) => a.ratio - b.ratio),
    unchanged,
    added: after.map(keyOf).filter((key) => !earlier.has(key)),
    missing: before.map(keyOf).filter((key) => !later.has(key)),
  };
}
