import type { Gemm } from './gemm-tiles.ts';

interface Shape {
  readonly m: number;
  readonly n: number;
  /** Blocks of 4 x 4 results of a thread: so many down and across. */
  readonly blocks: readonly [number, number];
}

/** TILE_K of lib/gemm.wgsl. */
const STEP = 16;

/**
 * Largest first: the more results a thread has, the less it loads for each, so that the first tile that suits a product
 * should be the fastest. 8 x 8 results are what a GPU's registers hold; 128 x 32 serves few output channels over many
 * pixels, such as the 32 of DenseNet's layers; the last serves whatever is too small for the others.
 */
const SHAPES: readonly Shape[] = [
  { m: 128, n: 128, blocks: [2, 2] },
  { m: 128, n: 64, blocks: [2, 2] },
  { m: 64, n: 64, blocks: [2, 1] },
  { m: 128, n: 32, blocks: [2, 1] },
  { m: 64, n: 32, blocks: [1, 1] },
  { m: 32, n: 32, blocks: [1, 1] },
];

function gemmOf({ m, n, blocks }: Shape, index: number): Gemm {
  const threads = (m * n) / (16 * blocks[0] * blocks[1]);
  // Each of STEP rows of both tiles has one vec4f more than it needs.
  const bytes = STEP * 16 * (m / 4 + 1 + n / 4 + 1);
  const tile = { m, n, k: STEP, servesAll: index === SHAPES.length - 1 };
  return {
    name: `tiled ${m}x${n}`,
    libraries: ['lib/gemm.wgsl', 'lib/gemm_fetch.wgsl'],
    tileOn(traits, threadBytes = 0) {
      const needed = bytes + threads * threadBytes;
      const isPossible = threads <= traits.workgroupThreads && needed <= traits.workgroupBytes;
      return traits.kind === 'hardware' && isPossible ? tile : undefined;
    },
    constants: () => ({ TILE_M: m, TILE_N: n, BLOCKS_M: blocks[0], BLOCKS_N: blocks[1] }),
  };
}

/** Products in f32 whose results lie in the threads' registers, in the order in which to take them. */
export const registerGemms: readonly Gemm[] = SHAPES.map(gemmOf);
