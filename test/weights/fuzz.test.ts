import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { Random } from '../../src/base/random.ts';
import { MemoryBudget } from '../../src/weights/memory-budget.ts';
import { readWeights } from '../../src/weights/state-dict.ts';
import { isZip, readZip } from '../../src/weights/zip.ts';
import { goldenBytes, joined, zipOf } from './checkpoint-files.ts';

const ROUNDS = 3000;
const FILES = [
  'tiny.safetensors',
  'tiny_zip.pth',
  'tiny_legacy.pth',
  'tiny_views.pth',
  'checkpoint_dtypes_zip.pth',
  'checkpoint_strided_legacy.pth',
  'checkpoint_wrapped.pth',
  'checkpoint_densenet.pth',
].map(goldenBytes);

const EXTREMES = [0, 1, 0x7f, 0x80, 0xff];

/** Where a mutation begins: anywhere, or where headers and pickles are. */
const position = (random: Random, bytes: Uint8Array) =>
  random.integer(Math.max(1, random.chance(0.5) ? Math.min(bytes.length, 900) : bytes.length));

const range = (random: Random, bytes: Uint8Array) => {
  const begin = position(random, bytes);
  return [begin, Math.min(bytes.length, begin + 1 + random.integer(random.pick([4, 40, 400])))] as const;
};

/** Each changes a file in one way. */
const MUTATIONS: ((bytes: Uint8Array, random: Random) => Uint8Array)[] = [
  (bytes, random) => bytes.with(position(random, bytes), random.integer(256)),
  (bytes, random) => bytes.with(position(random, bytes), random.pick(EXTREMES)),
  (bytes, random) => {
    const at = position(random, bytes);
    return bytes.with(at, (bytes[at] as number) ^ (1 << random.integer(8)));
  },
  (bytes, random) => bytes.slice().fill(random.pick(EXTREMES), ...range(random, bytes)),
  (bytes, random) => bytes.slice(0, position(random, bytes)),
  (bytes, random) => {
    const [begin, end] = range(random, bytes);
    return joined(bytes.subarray(0, begin), bytes.subarray(end));
  },
  (bytes, random) => {
    const [begin, end] = range(random, bytes);
    return joined(bytes.subarray(0, end), bytes.subarray(begin));
  },
  (bytes, random) => {
    const other = random.pick(FILES);
    const [begin, end] = range(random, other);
    const at = position(random, bytes);
    return joined(bytes.subarray(0, at), other.subarray(begin, end), bytes.subarray(at));
  },
];

function mutatedBytes(bytes: Uint8Array, random: Random): Uint8Array {
  let out = bytes;
  for (let count = random.pick([1, 1, 2, 3]); count > 0 && out.length > 0; count--) {
    out = random.pick(MUTATIONS)(out, random);
  }
  return out;
}

/** A damaged file; of a zip archive, half of the time, one with a damaged pickle in good order. */
function mutated(round: number): Uint8Array {
  const random = new Random(2024, round);
  const bytes = random.pick(FILES);
  if (!isZip(bytes) || random.chance(0.5)) return mutatedBytes(bytes, random);
  const entries = readZip('w', bytes, new MemoryBudget('w', bytes.length));
  return zipOf(
    Object.fromEntries(
      [...entries].map(([name, data]) => [name, name.endsWith('.pkl') ? mutatedBytes(data, random) : data]),
    ),
  );
}

/** Bytes of the memory that the tensors hold beside the file. */
function memoryOf(tensors: ReturnType<typeof readWeights>, source: Uint8Array): number {
  const buffers = new Set([...tensors.values()].map(({ data }) => data.buffer as ArrayBuffer));
  buffers.delete(source.buffer as ArrayBuffer);
  return [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0);
}

describe('damaged weights files', () => {
  it(`give a UserError or tensors within the memory limit, ${ROUNDS} files`, () => {
    const taken = { errors: 0, tensors: 0, slowest: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = mutated(round);
      const start = performance.now();
      try {
        const tensors = readWeights('w', bytes);
        expect(memoryOf(tensors, bytes), `round ${round}`).toBeLessThanOrEqual(4 * bytes.length + 2 ** 20);
        taken.tensors++;
      } catch (error) {
        if (!(error instanceof UserError)) throw new Error(`round ${round}`, { cause: error });
        taken.errors++;
      }
      taken.slowest = Math.max(taken.slowest, performance.now() - start);
    }
    // A fuzz test that only ever meets the first check, or no check, tests little.
    expect(taken.errors).toBeGreaterThan(ROUNDS / 4);
    expect(taken.tensors).toBeGreaterThan(ROUNDS / 20);
    expect(taken.slowest).toBeLessThan(1000);
  }, 120_000);
});
