import type { SubgroupMatrices } from '../../base/traits.ts';
import type { Gemm } from './gemm-tiles.ts';

interface Shape {
  /** Subgroups of a workgroup, down and across. */
  readonly subgroups: readonly [number, number];
  /** Matrices of results of a subgroup, down and across. */
  readonly matrices: readonly [number, number];
}

/** TILE_K and PAD of lib/gemm_matrices.wgsl. */
const STEP = 32;
const PAD = 8;

/** Largest first, as in gemm-registers.ts. With matrices of 16 x 16: tiles of 128x128, 64x64, 128x32 and 32x32. */
const SHAPES: readonly Shape[] = [
  { subgroups: [4, 2], matrices: [2, 4] },
  { subgroups: [2, 2], matrices: [2, 2] },
  { subgroups: [4, 1], matrices: [2, 2] },
  { subgroups: [2, 1], matrices: [1, 2] },
];

/** Bytes of workgroup memory, whichever way the tiles are stored. */
function bytesOf(tile: { m: number; n: number }, subgroups: number, { m, n }: SubgroupMatrices): number {
  const halves = (rows: number) => Math.max(STEP * (rows + PAD), rows * (STEP + PAD));
  return 2 * (halves(tile.m) + halves(tile.n)) + 4 * subgroups * m * n;
}

function gemmOf({ subgroups, matrices }: Shape, index: number): Gemm {
  const [down, across] = [subgroups[0] * matrices[0], subgroups[1] * matrices[1]];
  const count = subgroups[0] * subgroups[1];
  return {
    name: `matrices ${down}x${across}`,
    enable: 'lib/enable_matrices.wgsl',
    libraries: ['lib/gemm_matrices.wgsl', 'lib/gemm_fetch.wgsl'],
    tileOn(traits, threadBytes = 0) {
      const unit = traits.matrices;
      if (traits.kind !== 'hardware' || !unit) return undefined;
      const tile = { m: down * unit.m, n: across * unit.n, k: STEP, servesAll: index === SHAPES.length - 1 };
      const threads = count * unit.subgroupSize;
      const isPossible =
        STEP % unit.k === 0 &&
        threads <= traits.workgroupThreads &&
        bytesOf(tile, count, unit) + threads * threadBytes <= traits.workgroupBytes;
      return isPossible ? tile : undefined;
    },
    constants: ({ matrices: unit }) => ({
      SUBGROUPS_M: subgroups[0],
      SUBGROUPS_N: subgroups[1],
      MATRICES_M: matrices[0],
      MATRICES_N: matrices[1],
      ...(unit ? { SUBGROUP: unit.subgroupSize, SIZE_M: unit.m, SIZE_N: unit.n, SIZE_K: unit.k } : {}),
    }),
  };
}

/** Products of operands rounded to f16 with a GPU's matrix units, in the order in which to take them. */
export const matrixGemms: readonly Gemm[] = SHAPES.map(gemmOf);
