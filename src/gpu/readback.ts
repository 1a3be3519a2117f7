import type { Device } from './device.ts';

/** A value on its way from the GPU. */
export interface Pending {
  /** Asked for as late as possible: waiting for it costs a CPU core in Node (see ReadbackRing). */
  readonly value: Promise<ArrayBuffer>;
}

interface Slot {
  readonly buffer: GPUBuffer;
  pending: Pending | undefined;
}

/** Shorter waits are not worth a timer, in milliseconds. */
const SHORTEST_SLEEP = 4;
/** Share of the expected wait that is slept. */
const SLEPT = 0.85;
/** Share of a run's time that is waited for at least where its end was seen. */
const WAITED = 0.05;
/** The expected time grows by so much a run at most: one slow run must not keep those behind it waiting. */
const GROWTH = 1.5;
/** It shrinks by so much where a value may have been there for long. */
const SHRINKAGE = 0.9;

/**
 * Reads the same few bytes after every run without stalling the GPU: a ring of staging buffers, allocated once. Asking
 * for one more than the ring holds waits for the oldest, which bounds the work in flight (the queue itself does not).
 *
 * Dawn's Node binding polls in a busy loop while a promise of its own is pending, which takes a software adapter's cores
 * away from it. So a buffer is mapped only when its value is asked for, after sleeping for most of the time that the
 * last runs took.
 */
export class ReadbackRing {
  readonly #device: Device;
  readonly #slots: Slot[];
  #next = 0;
  /** Expected milliseconds from one run's end to the next one's, and when the last one ended. */
  #interval = 0;
  #ended = 0;

  constructor(device: Device, bytes: number, depth = 3) {
    this.#device = device;
    this.#slots = Array.from({ length: depth }, () => ({
      buffer: device.createBuffer('readback', bytes, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST),
      pending: undefined,
    }));
  }

  /** Queues a copy of the ring's bytes from `source`; resolves once a slot is free. */
  async enqueue(source: GPUBuffer, offset: number): Promise<Pending> {
    const slot = this.#slots[this.#next++ % this.#slots.length] as Slot;
    await slot.pending?.value.catch(() => undefined);
    const encoder = this.#device.gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(source, offset, slot.buffer, 0, slot.buffer.size);
    this.#device.gpu.queue.submit([encoder.finish()]);
    const submitted = performance.now();
    let value: Promise<ArrayBuffer> | undefined;
    const take = () => this.#take(slot.buffer, submitted);
    slot.pending = {
      get value() {
        value ??= take();
        return value;
      },
    };
    return slot.pending;
  }

  async #take(buffer: GPUBuffer, submitted: number): Promise<ArrayBuffer> {
    const sleep = Math.max(this.#ended, submitted) + SLEPT * this.#interval - performance.now();
    if (sleep > SHORTEST_SLEEP) await new Promise((resolve) => setTimeout(resolve, sleep));
    const asked = performance.now();
    try {
      await buffer.mapAsync(GPUMapMode.READ);
    } catch (error) {
      this.#device.check();
      throw error;
    }
    const now = performance.now();
    this.#expect(now - Math.max(this.#ended, submitted), now - asked);
    this.#ended = now;
    const bytes = buffer.getMappedRange().slice(0);
    buffer.unmap();
    this.#device.check();
    return bytes;
  }

  /** Takes the time of a run into account, of which `waited` was spent on waiting for its value. */
  #expect(took: number, waited: number): void {
    // The first run compiles and warms up.
    if (this.#ended === 0) return;
    const before = this.#interval;
    // A value that hardly had to be waited for may have been there for long, above all where its asker paused.
    if (waited < Math.max(1, WAITED * took)) this.#interval = Math.min(SHRINKAGE * before, took);
    else this.#interval = Math.min((before + took) / 2, before === 0 ? took : GROWTH * before);
  }

  async destroy(): Promise<void> {
    await Promise.all(this.#slots.map(({ pending }) => pending?.value.catch(() => undefined)));
    for (const { buffer } of this.#slots) this.#device.destroyBuffer(buffer);
  }
}
