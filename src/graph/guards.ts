import { roundUp } from '../base/shape.ts';
import type { Device } from '../gpu/device.ts';
import type { BoundBuffer } from './executor.ts';

/** Bytes on either side of a guarded tensor: the alignment of a binding's offset. */
const GUARD_BYTES = 256;

/** A quiet NaN that no arithmetic makes. */
const POISON = 0x7fc0dead;

/**
 * Buffers for tests of kernels: each holds one tensor between guard words and is full of NaN. The binding reaches over
 * the guard behind the tensor, so that an index past the end changes it, clamped by the adapter's bounds checks or not.
 */
export class Guards {
  readonly #device: Device;
  readonly #guarded: { readonly label: string; readonly buffer: GPUBuffer; readonly bytes: number }[] = [];

  constructor(device: Device) {
    this.#device = device;
  }

  /** The buffer is the caller's to destroy. */
  createBuffer(label: string, bytes: number, usage: GPUBufferUsageFlags): BoundBuffer {
    const buffer = this.#device.createBuffer(label, 2 * GUARD_BYTES + bytes, usage);
    this.#device.gpu.queue.writeBuffer(buffer, 0, new Uint32Array(buffer.size / 4).fill(POISON));
    this.#guarded.push({ label, buffer, bytes });
    return { buffer, offset: GUARD_BYTES };
  }

  /** The buffers whose guard words have changed, as lines for people. */
  async findOverruns(): Promise<string[]> {
    const found = this.#guarded.map(async ({ label, buffer, bytes }) => {
      const end = GUARD_BYTES + roundUp(bytes, 4);
      const ends = await Promise.all([
        this.#device.read(buffer, 0, GUARD_BYTES),
        this.#device.read(buffer, end, buffer.size - end),
      ]);
      const [before, behind] = ends.map((guard) => new Uint32Array(guard).filter((word) => word !== POISON).length);
      return before || behind ? [`${label}: ${before} guard words before and ${behind} behind it were overwritten`] : [];
    });
    return (await Promise.all(found)).flat();
  }
}
