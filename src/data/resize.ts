/**
 * Pillow's bilinear resize of 8-bit images (Pillow, src/libImaging/Resample.c): a triangle filter, widened by the scale
 * when shrinking, as fixed-point weights; the result is rounded to 8 bits after the horizontal and the vertical pass.
 */
import type { DecodedImage } from './image.ts';

/** Fixed-point bits of a weight: a sum of weights times 255 stays below 2^31. */
const PRECISION = 22;
const HALF = 1 << (PRECISION - 1);

/** The weights of every output position, `taps` places each. */
export interface FilterWeights {
  /** First input position of each output position. */
  first: Int32Array;
  /** Number of weights in use of each output position. */
  count: Int32Array;
  taps: number;
  /** [outputs, taps], in units of 2^-22. */
  weights: Int32Array;
}

/** Triangle-filter weights for resizing `inputs` positions to `outputs`. */
export function triangleWeights(inputs: number, outputs: number): FilterWeights {
  const scale = inputs / outputs;
  const support = Math.max(scale, 1);
  const taps = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outputs);
  const count = new Int32Array(outputs);
  const weights = new Int32Array(outputs * taps);
  for (let i = 0; i < outputs; i++) {
    const centre = (i + 0.5) * scale;
    const low = Math.max(Math.trunc(centre - support + 0.5), 0);
    const high = Math.min(Math.trunc(centre + support + 0.5), inputs);
    const shares = Array.from({ length: high - low }, (_, k) =>
      Math.max(0, 1 - Math.abs((low + k - centre + 0.5) * (1 / support))),
    );
    const total = shares.reduce((sum, share) => sum + share, 0);
    first[i] = low;
    count[i] = high - low;
    for (const [k, share] of shares.entries())
      weights[i * taps + k] = Math.trunc((share / total) * 2 ** PRECISION + 0.5);
  }
  return { first, count, taps, weights };
}

/**
 * Resizes the rows of one channel: `input` holds `rows` rows of samples `step` bytes apart from `offset` on,
 * `inputWidth` of them in a row; `output` gets [rows, outputs] from its start.
 */
function resizeHorizontally(
  input: Uint8Array,
  { offset = 0, step = 1, rows, inputWidth }: { offset?: number; step?: number; rows: number; inputWidth: number },
  filter: FilterWeights,
  output: Uint8Array,
): void {
  const { first, count, taps, weights } = filter;
  let to = 0;
  for (let y = 0; y < rows; y++) {
    const row = offset + y * inputWidth * step;
    for (let i = 0; i < first.length; i++) {
      let at = row + (first[i] as number) * step;
      let sum = HALF;
      const end = i * taps + (count[i] as number);
      for (let k = i * taps; k < end; k++, at += step) sum += (weights[k] as number) * (input[at] as number);
      output[to++] = sum >> PRECISION;
    }
  }
}

/** Resizes the columns of one plane of `width` columns; `output` gets [outputs, width] from its start. */
function resizeVertically(input: Uint8Array, width: number, filter: FilterWeights, output: Uint8Array): void {
  const { first, count, taps, weights } = filter;
  const sums = new Int32Array(width);
  for (let i = 0; i < first.length; i++) {
    sums.fill(HALF);
    let at = (first[i] as number) * width;
    for (let k = 0; k < (count[i] as number); k++) {
      const weight = weights[i * taps + k] as number;
      for (let x = 0; x < width; x++) sums[x] = (sums[x] as number) + weight * (input[at++] as number);
    }
    for (let x = 0; x < width; x++) output[i * width + x] = (sums[x] as number) >> PRECISION;
  }
}

/**
 * Resizes an image to height x width exactly as Pillow's `resize((width, height), BILINEAR)` does, aspect ratio ignored.
 * Returns planes: [channels, height, width].
 */
export function resizePlanes(image: DecodedImage, height: number, width: number): Uint8Array {
  const { channels, data } = image;
  const planes = new Uint8Array(channels * height * width);
  const across = triangleWeights(image.width, width);
  const down = triangleWeights(image.height, height);
  const between = new Uint8Array(image.height * width);
  const source = { step: channels, rows: image.height, inputWidth: image.width };
  for (let channel = 0; channel < channels; channel++) {
    const plane = planes.subarray(channel * height * width, (channel + 1) * height * width);
    resizeHorizontally(data, { ...source, offset: channel }, across, between);
    resizeVertically(between, width, down, plane);
  }
  return planes;
}

/** Resizes an image to a square of `size` pixels a side, as planes [channels, size, size]. */
export function resizeSquare(image: DecodedImage, size: number): Uint8Array {
  return resizePlanes(image, size, size);
}
