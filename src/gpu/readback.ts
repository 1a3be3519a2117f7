import type { Device } from './device.ts';

/** A value on its way from the GPU. */
export interface Pending {
  readonly value: Promise<ArrayBuffer>;
}

interface Slot {
  readonly buffer: GPUBuffer;
  busy: Promise<unknown>;
}

/**
 * Reads the same few bytes after every run without stalling the GPU: a ring of staging buffers, allocated once. Asking
 * for one more than the ring holds waits for the oldest, which bounds the work in flight (the queue itself does not).
 */
export class ReadbackRing {
  readonly #device: Device;
  readonly #slots: Slot[];
  #next = 0;

  constructor(device: Device, bytes: number, depth = 3) {
    this.#device = device;
    this.#slots = Array.from({ length: depth }, () => ({
      buffer: device.createBuffer('readback', bytes, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST),
      busy: Promise.resolve(),
    }));
  }

  /** Queues a copy of the ring's bytes from `source`; resolves once a slot is free. */
  async enqueue(source: GPUBuffer, offset: number): Promise<Pending> {
    const slot = this.#slots[this.#next++ % this.#slots.length] as Slot;
    await slot.busy;
    const encoder = this.#device.gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(source, offset, slot.buffer, 0, slot.buffer.size);
    this.#device.gpu.queue.submit([encoder.finish()]);
    const value = this.#take(slot.buffer);
    slot.busy = value.catch(() => undefined);
    return { value };
  }

  async #take(buffer: GPUBuffer): Promise<ArrayBuffer> {
    try {
      await buffer.mapAsync(GPUMapMode.READ);
    } catch (error) {
      this.#device.check();
      throw error;
    }
    const bytes = buffer.getMappedRange().slice(0);
    buffer.unmap();
    this.#device.check();
    return bytes;
  }

  async destroy(): Promise<void> {
    await Promise.all(this.#slots.map((slot) => slot.busy));
    for (const { buffer } of this.#slots) this.#device.destroyBuffer(buffer);
  }
}
