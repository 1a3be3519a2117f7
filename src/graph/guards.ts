import { OutOfMemoryError } from '../base/errors.ts';
import { roundUp } from '../base/shape.ts';
import type { Device } from '../gpu/device.ts';
import type { BoundBuffer } from './executor.ts';

/** Bytes on either side of a guarded tensor: the alignment of a binding's offset. */
const GUARD_BYTES = 256;

/** A quiet NaN, and two NaN of f16: what a tensor holds before it is written. */
const POISON = 0x7fc07ead;

/**
 * Guard words of buffer number `buffer`: in turn a number of about 1234, which arithmetic changes even in place, and a
 * NaN, which does not vanish times zero. No two buffers have the same, so a copy of one into another is seen.
 */
const guardWord = (buffer: number, index: number): number => (index % 2 === 0 ? 0x449a0000 : 0x7fc00000) + buffer + 1;

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

  /** The buffer is the caller's to destroy. Throws an OutOfMemoryError where tensor and guard are more than can be bound. */
  createBuffer(label: string, bytes: number, usage: GPUBufferUsageFlags): BoundBuffer {
    const { maxBindingBytes } = this.#device.traits;
    if (bytes + GUARD_BYTES > maxBindingBytes) {
      throw new OutOfMemoryError(
        `${label} cannot be bound with a guard: it has ${bytes} bytes of at most ${maxBindingBytes}`,
      );
    }
    const buffer = this.#device.createBuffer(label, 2 * GUARD_BYTES + bytes, usage);
    const words = new Uint32Array(buffer.size / 4).fill(POISON);
    const before = words.subarray(0, GUARD_BYTES / 4);
    const behind = words.subarray((GUARD_BYTES + roundUp(bytes, 4)) / 4);
    const number = this.#guarded.length;
    for (const guard of [before, behind]) {
      for (let at = 0; at < guard.length; at++) guard[at] = guardWord(number, at);
    }
    this.#device.gpu.queue.writeBuffer(buffer, 0, words);
    this.#guarded.push({ label, buffer, bytes });
    return { buffer, offset: GUARD_BYTES };
  }

  /** The buffers whose guard words have changed, as lines for people. */
  async findOverruns(): Promise<string[]> {
    const guards = this.#guarded.flatMap(({ label, buffer, bytes }, number) => {
      const end = GUARD_BYTES + roundUp(bytes, 4);
      return [
        { where: `before ${label}`, number, buffer, offset: 0, bytes: GUARD_BYTES },
        { where: `behind ${label}`, number, buffer, offset: end, bytes: buffer.size - end },
      ];
    });
    const total = guards.reduce((sum, guard) => sum + guard.bytes, 0);
    const gathered = this.#device.createBuffer('guards', total, GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST);
    const encoder = this.#device.gpu.createCommandEncoder();
    let end = 0;
    for (const { buffer, offset, bytes } of guards) {
      encoder.copyBufferToBuffer(buffer, offset, gathered, end, bytes);
      end += bytes;
    }
    this.#device.gpu.queue.submit([encoder.finish()]);
    const words = new Uint32Array(await this.#device.read(gathered, 0, total));
    this.#device.destroyBuffer(gathered);
    end = 0;
    return guards.flatMap(({ where, number, bytes }) => {
      const begin = end / 4;
      end += bytes;
      const changed = words.subarray(begin, end / 4).filter((word, index) => word !== guardWord(number, index)).length;
      return changed > 0 ? [`${changed} guard words ${where} were overwritten`] : [];
    });
  }
}
