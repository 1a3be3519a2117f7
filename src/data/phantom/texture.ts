import { Random } from '../../base/random.ts';
import { TILE } from './raster.ts';

/** One pass of a periodic 1-2-1 filter, its taps `step` apart, along rows and columns. */
function smooth(tile: Float32Array, step: number): Float32Array {
  const rows = new Float32Array(tile.length);
  const both = new Float32Array(tile.length);
  const mask = TILE - 1;
  const filter = (source: Float32Array, target: Float32Array, rowStep: number, columnStep: number): void => {
    for (let row = 0; row < TILE; row++) {
      for (let column = 0; column < TILE; column++) {
        const before = ((row - rowStep) & mask) * TILE + ((column - columnStep) & mask);
        const after = ((row + rowStep) & mask) * TILE + ((column + columnStep) & mask);
        const index = row * TILE + column;
        target[index] =
          0.25 * (source[before] as number) + 0.5 * (source[index] as number) + 0.25 * (source[after] as number);
      }
    }
  };
  filter(tile, rows, 0, step);
  filter(rows, both, step, 0);
  return both;
}

/** Band-limited periodic noise, TILE x TILE, mean 0, standard deviation about 1: fine noise less its coarse part. */
export function noiseTile(seed: number): Float32Array {
  const random = new Random(seed);
  let fine: Float32Array = new Float32Array(TILE * TILE);
  for (let index = 0; index < fine.length; index++) fine[index] = random.uniform(-1, 1);
  fine = smooth(smooth(fine, 1), 1);
  const coarse = smooth(smooth(fine, 2), 4);
  let sum = 0;
  for (let index = 0; index < fine.length; index++) {
    fine[index] = (fine[index] as number) - (coarse[index] as number);
    sum += (fine[index] as number) ** 2;
  }
  const deviation = Math.sqrt(sum / fine.length);
  return fine.map((value) => value / deviation);
}
