import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { Random } from '../../src/base/random.ts';
import { type Placed, type Storage, shareSlots } from '../../src/graph/memory.ts';

const BOUNDLESS = { maxBindingBytes: 2 ** 30, maxBufferBytes: 2 ** 30 };

const storage = (label: string, bytes: number, ...nodes: number[]): Storage => ({ label, bytes, nodes });

/** Storages of a plan of 60 nodes, each of which uses about five. */
function drawStorages(seed: number): Storage[] {
  const random = new Random(seed);
  return Array.from({ length: 100 }, (_, index) => {
    const first = random.integer(58);
    const nodes = Array.from({ length: 1 + random.integer(4) }, () => first + random.integer(60 - first));
    return storage(`${index}`, 4 * (1 + random.integer(2000)), ...[...new Set(nodes)].sort((a, b) => a - b));
  });
}

const end = ({ storage: { bytes }, offset }: Placed): number => offset + bytes;

const aliveTogether = ({ nodes: a }: Storage, { nodes: b }: Storage): boolean =>
  (a[0] as number) <= (b[b.length - 1] as number) && (b[0] as number) <= (a[a.length - 1] as number);

describe('buffers that serve several storages', () => {
  test.each([1, 2, 3, 4])('hold each in a range of its own while it lives, plan %i', (seed) => {
    const storages = drawStorages(seed);
    const slots = shareSlots(storages, BOUNDLESS);
    expect(slots.flatMap((slot) => slot.storages.map((placed) => placed.storage.label)).sort()).toEqual(
      storages.map(({ label }) => label).sort(),
    );
    for (const slot of slots) {
      for (const [index, one] of slot.storages.entries()) {
        expect(one.offset % 256).toBe(0);
        expect(end(one)).toBeLessThanOrEqual(slot.bytes);
        for (const other of slot.storages.slice(index + 1)) {
          if (!aliveTogether(one.storage, other.storage)) continue;
          expect(end(one) <= other.offset || end(other) <= one.offset).toBe(true);
          expect(one.storage.nodes.filter((node) => other.storage.nodes.includes(node))).toEqual([]);
        }
      }
    }
  });

  test('are shared by storages one after the other and side by side', () => {
    const slots = shareSlots(
      [storage('early', 4096, 0, 1), storage('late', 2048, 2, 9), storage('beside', 1024, 3, 8)],
      BOUNDLESS,
    );
    expect(slots.map(({ bytes }) => bytes)).toEqual([4096]);
  });

  test('are not shared by storages that one node uses, however small they are', () => {
    const slots = shareSlots([storage('x', 4096, 0, 5), storage('early', 8192, 9), storage('y', 16, 5)], BOUNDLESS);
    const together = slots.map((slot) => slot.storages.map((placed) => placed.storage.label));
    expect(together.some((labels) => labels.includes('x') && labels.includes('y'))).toBe(false);
  });

  test('are no larger than the adapter allows, though storages would fit side by side', () => {
    const storages = [storage('a', 4096, 0, 9), storage('b', 4096, 1, 8), storage('c', 6144, 10)];
    const limits = { ...BOUNDLESS, maxBufferBytes: 7000 };
    expect(Math.max(...shareSlots(storages, limits).map(({ bytes }) => bytes))).toBeLessThanOrEqual(7000);
  });

  test('a storage that cannot be bound is an error that names it', () => {
    const limits = { maxBindingBytes: 2 ** 20, maxBufferBytes: 2 ** 30 };
    expect(() => shareSlots([storage('conv1/y', 2 ** 21, 0)], limits)).toThrow(UserError);
    expect(() => shareSlots([storage('conv1/y', 2 ** 21, 0)], limits)).toThrow(/conv1\/y .* 2 MiB .* 1 MiB/);
  });
});
