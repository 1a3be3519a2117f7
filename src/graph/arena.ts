import { required, UserError } from '../base/errors.ts';
import { elementCount, roundUp, type Shape } from '../base/shape.ts';
import type { Device } from '../gpu/device.ts';
import type { BoundBuffer } from './executor.ts';
import type { External } from './plan.ts';

/** Where each of a list of tensors lies in a few large buffers; several arenas may share one layout. */
export interface ArenaLayout {
  /** Elements of each chunk; a multiple of 4. */
  readonly chunks: readonly number[];
  readonly places: ReadonlyMap<string, { readonly chunk: number; readonly offset: number; readonly elements: number }>;
}

/** Packs tensors one after the other into chunks of at most `maxBytes`. */
export function layOut(tensors: readonly { name: string; shape: Shape }[], maxBytes: number): ArenaLayout {
  const chunks: number[] = [];
  const places = new Map<string, { chunk: number; offset: number; elements: number }>();
  for (const { name, shape } of tensors) {
    const elements = elementCount(shape);
    const room = roundUp(elements, 4);
    if (4 * room > maxBytes) {
      throw new UserError(`${name} needs ${4 * room} bytes but this adapter binds at most ${maxBytes} at once`);
    }
    const last = chunks.length - 1;
    if (last < 0 || 4 * ((chunks[last] as number) + room) > maxBytes) chunks.push(0);
    const chunk = chunks.length - 1;
    const offset = chunks[chunk] as number;
    places.set(name, { chunk, offset, elements });
    chunks[chunk] = offset + room;
  }
  return { chunks, places };
}

/** Many f32 tensors in few GPU buffers, so that one dispatch updates them all. */
export class Arena {
  readonly layout: ArenaLayout;
  readonly #device: Device;
  readonly #buffers: GPUBuffer[];
  readonly #storages: object[];

  /** Zeros, in the given layout. */
  constructor(device: Device, label: string, layout: ArenaLayout) {
    this.#device = device;
    this.layout = layout;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    this.#buffers = device.allOrNone(() =>
      layout.chunks.map((elements) => device.createBuffer(label, 4 * elements, usage)),
    );
    // Without robustness a buffer starts as whatever its memory held.
    this.clear();
    this.#storages = layout.chunks.map((_, chunk) => ({ label, chunk }));
  }

  /** Zeros everywhere. */
  clear(): void {
    const encoder = this.#device.gpu.createCommandEncoder();
    for (const buffer of this.#buffers) encoder.clearBuffer(buffer);
    this.#device.gpu.queue.submit([encoder.finish()]);
  }

  /** Where a tensor lies, as a plan takes it. */
  place(name: string): External {
    const { chunk, offset } = required(this.layout.places.get(name), name);
    return { storage: this.#storages[chunk] as object, offset };
  }

  /** Where chunk number `chunk` as a whole lies. */
  placeChunk(chunk: number): External {
    return { storage: required(this.#storages[chunk], 'chunk'), offset: 0 };
  }

  /** The buffers of the places, as an executor takes them. */
  bindings(): [object, BoundBuffer][] {
    return this.#storages.map((storage, chunk) => [storage, { buffer: this.#buffers[chunk] as GPUBuffer }]);
  }

  write(name: string, values: Float32Array<ArrayBuffer>): void {
    const { chunk, offset, elements } = required(this.layout.places.get(name), name);
    if (values.length !== elements) throw new UserError(`${name} has ${values.length} elements, expected ${elements}`);
    this.#device.gpu.queue.writeBuffer(this.#buffers[chunk] as GPUBuffer, 4 * offset, values);
  }

  /** All tensors' values. */
  async read(): Promise<Map<string, Float32Array<ArrayBuffer>>> {
    const chunks = await Promise.all(this.#buffers.map((buffer) => this.#device.read(buffer, 0, buffer.size)));
    return new Map(
      [...this.layout.places].map(([name, { chunk, offset, elements }]) => [
        name,
        new Float32Array(chunks[chunk] as ArrayBuffer, 4 * offset, elements),
      ]),
    );
  }

  destroy(): void {
    for (const buffer of this.#buffers.splice(0)) this.#device.destroyBuffer(buffer);
  }
}
