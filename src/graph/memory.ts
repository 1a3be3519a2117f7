import { OutOfMemoryError } from '../base/errors.ts';
import { roundUp } from '../base/shape.ts';

/** Memory that one or more tensors of a plan lie in, needed from one node to another. */
export interface Storage {
  readonly label: string;
  readonly bytes: number;
  /** Index of the first and the last node that uses it. */
  first: number;
  last: number;
}

/** A buffer that serves several storages, one after the other. */
export interface Slot {
  bytes: number;
  readonly storages: Storage[];
}

/**
 * Shares buffers among storages whose lifetimes do not overlap: the largest first, each into the smallest buffer that is
 * free (greedy by size, Pisarchyk & Lee 2020). Two storages that are alive together never share a buffer, so no dispatch
 * reads and writes one buffer through two bindings.
 */
export function shareSlots(storages: readonly Storage[], maxBytes: number): Slot[] {
  const slots: Slot[] = [];
  const bySize = [...storages].sort((a, b) => b.bytes - a.bytes || a.first - b.first);
  for (const storage of bySize) {
    checkBindable(storage, maxBytes);
    const free = slots
      .filter((slot) => slot.storages.every((other) => storage.last < other.first || other.last < storage.first))
      .reduce<Slot | undefined>((best, slot) => (!best || slot.bytes < best.bytes ? slot : best), undefined);
    if (free) {
      free.storages.push(storage);
      free.bytes = Math.max(free.bytes, storage.bytes);
    } else {
      slots.push({ bytes: roundUp(storage.bytes, 16), storages: [storage] });
    }
  }
  return slots;
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/** Throws where a buffer is larger than an adapter binds. */
export function checkBindable({ label, bytes }: { label: string; bytes: number }, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new OutOfMemoryError(
    `${label} needs a buffer of ${mebibytes(bytes)} but this adapter binds at most ${mebibytes(maxBytes)} at once`,
  );
}
