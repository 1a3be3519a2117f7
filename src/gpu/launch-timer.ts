import { UserError } from '../base/errors.ts';
import type { Device } from './device.ts';

/** Most timestamps in one query set, by WebGPU's limits. */
const MOST_QUERIES = 4096;

/** Measures dispatches one by one with timestamp queries, each in a compute pass of its own. */
export class LaunchTimer {
  readonly #device: Device;

  constructor(device: Device) {
    this.#device = device;
  }

  /** Runs `count` dispatches that `encode` records and returns the seconds each took on the GPU. */
  async measure(count: number, encode: (index: number, pass: GPUComputePassEncoder) => void): Promise<Float64Array> {
    if (!this.#device.gpu.features.has('timestamp-query')) {
      throw new UserError('this adapter cannot time its work: it lacks the feature timestamp-query');
    }
    const seconds = new Float64Array(count);
    const most = MOST_QUERIES / 2;
    for (let first = 0; first < count; first += most) {
      const part = await this.#measurePart(Math.min(most, count - first), (index, pass) => encode(first + index, pass));
      seconds.set(part, first);
    }
    return seconds;
  }

  async #measurePart(
    count: number,
    encode: (index: number, pass: GPUComputePassEncoder) => void,
  ): Promise<Float64Array> {
    const { gpu } = this.#device;
    const querySet = gpu.createQuerySet({ type: 'timestamp', count: 2 * count });
    const bytes = 16 * count;
    const resolved = this.#device.createBuffer(
      'timestamps',
      bytes,
      GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    );
    const encoder = gpu.createCommandEncoder();
    for (let index = 0; index < count; index++) {
      const pass = encoder.beginComputePass({
        timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * index, endOfPassWriteIndex: 2 * index + 1 },
      });
      encode(index, pass);
      pass.end();
    }
    encoder.resolveQuerySet(querySet, 0, 2 * count, resolved, 0);
    gpu.queue.submit([encoder.finish()]);
    const stamps = new BigUint64Array(await this.#device.read(resolved, 0, bytes));
    querySet.destroy();
    this.#device.destroyBuffer(resolved);
    return Float64Array.from({ length: count }, (_, index) => {
      const [begin = 0n, end = 0n] = stamps.subarray(2 * index, 2 * index + 2);
      return Number(end - begin) / 1e9;
    });
  }
}
