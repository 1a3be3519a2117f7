import { ceilDivide, roundUp } from '../../base/shape.ts';
import type { AdapterTraits } from '../../base/traits.ts';

/** How a product [M,K] x [K,N] is cut into workgroups. */
export interface Tile {
  /** Rows and columns of a workgroup's results. */
  readonly m: number;
  readonly n: number;
  /** Terms of the sums that are in workgroup memory at a time. */
  readonly k: number;
  /** Whether it is the one for products that are too small for the others. */
  readonly servesAll: boolean;
}

/** A file lib/gemm*.wgsl with its constants: computes one tile of a product by one workgroup. */
export interface Gemm {
  readonly name: string;
  /**
   * The tile on an adapter; undefined where the adapter cannot run it. `threadBytes`: what each thread of the shader around
   * it keeps in workgroup memory besides.
   */
  tileOn(traits: AdapterTraits, threadBytes?: number): Tile | undefined;
  /** The file with the directives that open the shader, where it needs some. */
  readonly enable?: string;
  readonly libraries: readonly string[];
  constants(traits: AdapterTraits): Record<string, number>;
}

/** Workgroups that keep a GPU of a hundred processors busy. */
const ENOUGH_GROUPS = 128;
/** Splits of a reduction write a partial result each, which has to be added up. */
const MOST_SPLITS = 32;
/** Fewer k than this are not worth a workgroup of their own. */
const SHORTEST_SPLIT = 256;
/** Rows and columns of the smallest tile: what is computed in vain is compared with what it would. */
const SMALLEST = 32;

/** Workgroups down and across. */
export const tileGroups = ({ m, n }: Tile, rows: number, columns: number): [number, number] => [
  ceilDivide(rows, m),
  ceilDivide(columns, n),
];

const mostSplits = (k: number): number => Math.min(MOST_SPLITS, Math.max(1, Math.floor(k / SHORTEST_SPLIT)));

/** How the k of a product whose results are few are split over workgroups. */
export function tileSplits(tile: Tile, rows: number, columns: number, k: number) {
  const [down, across] = tileGroups(tile, rows, columns);
  const wanted = Math.min(mostSplits(k), ceilDivide(2 * ENOUGH_GROUPS, down * across));
  const steps = ceilDivide(k, tile.k);
  const splitSteps = ceilDivide(steps, wanted);
  return { splitSteps, splits: ceilDivide(steps, splitSteps) };
}

/** Whether tiles of `size` compute at most a quarter more than the smallest would. */
const isTight = (extent: number, size: number): boolean => roundUp(extent, size) <= 1.25 * roundUp(extent, SMALLEST);

/**
 * Whether a tile suits a product of so many rows and columns: workgroups enough to fill a GPU, and little computed in
 * vain. `splitK`: the k that may be split over workgroups.
 */
export function suits(tile: Tile, rows: number, columns: number, splitK = 0): boolean {
  if (tile.servesAll) return true;
  const [down, across] = tileGroups(tile, rows, columns);
  return isTight(rows, tile.m) && isTight(columns, tile.n) && down * across * mostSplits(splitK) >= ENOUGH_GROUPS;
}
