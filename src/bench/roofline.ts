import type { Peaks } from '../gpu/peaks.ts';
import type { Cost } from '../kernels/definition.ts';

/** How fast something ran beside what the adapter can do at most; null where it has no arithmetic or no traffic. */
export interface Rate {
  readonly gflops: number | null;
  readonly gb_per_s: number | null;
  /** The larger of the shares of the arithmetic and of the bandwidth peak: how near the roof of the roofline it is. */
  readonly share_of_peak: number | null;
  /** The peak that this share is of: what would limit it if it were perfect. */
  readonly limit: 'compute' | 'bandwidth' | null;
}

/**
 * The rate of `cost` done in `seconds`. Bytes count every operand once, so a share of the bandwidth above 1 means that
 * operands came out of a cache.
 */
export function rateOf({ flops, bytes }: Cost, seconds: number, peaks: Peaks): Rate {
  const per = (amount: number) => (amount > 0 && seconds > 0 ? amount / seconds : null);
  const [arithmetic, traffic] = [per(flops), per(bytes)];
  const compute = (arithmetic ?? 0) / peaks.flops;
  const bandwidth = (traffic ?? 0) / peaks.bandwidth;
  const limit = compute >= bandwidth ? 'compute' : 'bandwidth';
  const known = arithmetic !== null || traffic !== null;
  return {
    gflops: arithmetic && arithmetic / 1e9,
    gb_per_s: traffic && traffic / 1e9,
    share_of_peak: known ? Math.max(compute, bandwidth) : null,
    limit: known ? limit : null,
  };
}

/** Peaks as a file or a `--json` output holds them. */
export interface PeakFigures {
  readonly gflops_f32: number;
  readonly gflops_f16: number | null;
  /** Of the matrix units, operands in f16 and sums in f32; only where they are used. */
  readonly gflops_matrices?: number;
  readonly gb_per_s: number;
}

export const figuresOf = ({ flops, halfFlops, matrixFlops, bandwidth }: Peaks): PeakFigures => ({
  gflops_f32: flops / 1e9,
  gflops_f16: halfFlops && halfFlops / 1e9,
  ...(matrixFlops ? { gflops_matrices: matrixFlops / 1e9 } : {}),
  gb_per_s: bandwidth / 1e9,
});
