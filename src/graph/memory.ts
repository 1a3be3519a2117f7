import { OutOfMemoryError } from '../base/errors.ts';
import { mebibytes } from '../base/figures.ts';
import { roundUp } from '../base/shape.ts';

/** Memory that one or more tensors of a plan lie in. */
export interface Storage {
  readonly label: string;
  readonly bytes: number;
  /** Indices of the nodes that use it, in their order. */
  readonly nodes: number[];
}

/** A storage's place in a buffer. */
export interface Placed {
  readonly storage: Storage;
  /** In bytes; a multiple of 256, as WebGPU asks of the offset of a binding. */
  readonly offset: number;
}

/** A buffer that serves several storages: one after the other, or side by side. */
export interface Slot {
  bytes: number;
  readonly storages: Placed[];
}

export interface SlotLimits {
  readonly maxBindingBytes: number;
  readonly maxBufferBytes: number;
}

const ALIGNMENT = 256;

/** How much more a storage that lives long counts than its size when storages are ordered: the best of these is kept. */
const WEIGHTS = [1, 2, 4, 8, 16];

/**
 * Puts storages into few buffers: the largest first (greedy by size, Pisarchyk & Lee 2020), those that live for more
 * than a quarter of the plan before somewhat larger ones, each where the buffers grow least, as low as it goes. Two that
 * are alive together lie side by side, and only where no node uses both: a dispatch may not read and write one buffer
 * through two bindings, whatever their ranges.
 */
export function shareSlots(storages: readonly Storage[], limits: SlotLimits): Slot[] {
  for (const storage of storages) checkBindable(storage, limits.maxBindingBytes);
  const long = Math.max(0, ...storages.map(lastOf)) / 4;
  const total = (slots: readonly Slot[]) => slots.reduce((sum, slot) => sum + slot.bytes, 0);
  return WEIGHTS.map((weight) => {
    const size = (storage: Storage) => storage.bytes * (lastOf(storage) - firstOf(storage) > long ? weight : 1);
    const order = [...storages].sort((a, b) => size(b) - size(a) || b.bytes - a.bytes || firstOf(a) - firstOf(b));
    return pack(order, limits.maxBufferBytes);
  }).reduce((best, slots) => (total(slots) < total(best) ? slots : best));
}

interface Range {
  readonly offset: number;
  /** Bytes by which the buffer grows. */
  readonly growth: number;
}

function pack(storages: readonly Storage[], maxBytes: number): Slot[] {
  const slots: Slot[] = [];
  for (const storage of storages) {
    const bytes = roundUp(storage.bytes, 16);
    let best: { slot: Slot; range: Range } | undefined;
    for (const slot of slots) {
      for (const range of freeRanges(slot, storage)) {
        const fits = range.growth < bytes && slot.bytes + range.growth <= maxBytes;
        if (fits && (!best || isBetter(range, best.range))) best = { slot, range };
      }
    }
    if (best) {
      best.slot.bytes += best.range.growth;
      best.slot.storages.push({ storage, offset: best.range.offset });
    } else {
      slots.push({ bytes, storages: [{ storage, offset: 0 }] });
    }
  }
  return slots;
}

const isBetter = (a: Range, b: Range): boolean => a.growth < b.growth || (a.growth === b.growth && a.offset < b.offset);

/** The ranges of a buffer that can hold a storage during its life: gaps between others, and the buffer's end. */
function freeRanges(slot: Slot, storage: Storage): Range[] {
  const [first, last] = [firstOf(storage), lastOf(storage)];
  const alive = slot.storages.filter(({ storage: other }) => first <= lastOf(other) && firstOf(other) <= last);
  if (alive.some((other) => usedTogether(storage, other.storage))) return [];
  const bytes = roundUp(storage.bytes, 16);
  const ranges: Range[] = [];
  let offset = 0;
  for (const other of alive.sort((a, b) => a.offset - b.offset)) {
    if (offset + bytes <= other.offset) ranges.push({ offset, growth: 0 });
    offset = Math.max(offset, roundUp(other.offset + other.storage.bytes, ALIGNMENT));
  }
  ranges.push({ offset, growth: Math.max(0, offset + bytes - slot.bytes) });
  return ranges;
}

const firstOf = ({ nodes }: Storage): number => nodes[0] ?? 0;
const lastOf = ({ nodes }: Storage): number => nodes[nodes.length - 1] ?? 0;

function usedTogether(a: Storage, b: Storage): boolean {
  const [fewer, more] = a.nodes.length < b.nodes.length ? [a.nodes, b.nodes] : [b.nodes, a.nodes];
  return fewer.some((node) => more.includes(node));
}

/** Throws where a buffer is larger than an adapter binds. */
export function checkBindable({ label, bytes }: { label: string; bytes: number }, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new OutOfMemoryError(
    `${label} needs a buffer of ${mebibytes(bytes)} but this adapter binds at most ${mebibytes(maxBytes)} at once`,
  );
}
