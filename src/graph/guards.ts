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
    const sizes = this.#guarded.map(({ buffer, bytes }) => buffer.size - roundUp(bytes, 4));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const gathered = this.#device.createBuffer('guards', total, GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST);
    const encoder = this.#device.gpu.createCommandEncoder();
    let at = 0;
    for (const { buffer, bytes } of this.#guarded) {
      const end = GUARD_BYTES + roundUp(bytes, 4);
      encoder.copyBufferToBuffer(buffer, 0, gathered, at, GUARD_BYTES);
      encoder.copyBufferToBuffer(buffer, end, gathered, at + GUARD_BYTES, buffer.size - end);
      at += GUARD_BYTES + buffer.size - end;
    }
    this.#device.gpu.queue.submit([encoder.finish()]);
    const words = new Uint32Array(await this.#device.read(gathered, 0, total));
    this.#device.destroyBuffer(gathered);
    at = 0;
    return this.#guarded.flatMap(({ label }, index) => {
      const guards = words.subarray(at / 4, (at += sizes[index] as number) / 4);
      const isDamaged = (word: number) => word !== POISON;
      const before = guards.subarray(0, GUARD_BYTES / 4).filter(isDamaged).length;
      const behind = guards.subarray(GUARD_BYTES / 4).filter(isDamaged).length;
      return before || behind
        ? [`${label}: ${before} guard words before and ${behind} behind it were overwritten`]
        : [];
    });
  }
}
