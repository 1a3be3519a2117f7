import type { Device } from './device.ts';

/** Most timestamps in one query set, by WebGPU's limits. */
const MOST_QUERIES = 4096;
/** What is slept beyond the expected time, in milliseconds: work that takes longer is still waited for. */
const LATE = 1;
/** Shorter waits are not worth a timer, in milliseconds. */
const SHORTEST_SLEEP = 2;

type Encode = (index: number, pass: GPUComputePassEncoder) => void;

/**
 * Measures dispatches one by one: with timestamp queries, each in a compute pass of its own, or, where the adapter has
 * none, by the wall clock, each in a submit of its own.
 *
 * Dawn's Node binding polls in a busy loop while a promise of its own is pending, which takes a software adapter's cores
 * away from it: the time that the last measure took is slept before the timestamps of the next are asked for.
 */
export class LaunchTimer {
  /** `timestamp queries`, or `wall clock`, which also counts a submit's overhead. */
  readonly clock: 'timestamp queries' | 'wall clock';
  readonly #device: Device;
  /** Milliseconds from the submit to its end, last time. */
  #expected = 0;

  constructor(device: Device) {
    this.#device = device;
    this.clock = device.gpu.features.has('timestamp-query') ? 'timestamp queries' : 'wall clock';
  }

  /** Runs `count` dispatches that `encode` records and returns the seconds each took on the GPU. */
  async measure(count: number, encode: Encode): Promise<Float64Array> {
    if (this.clock === 'wall clock') return this.#measureByWallClock(count, encode);
    const seconds = new Float64Array(count);
    const most = MOST_QUERIES / 2;
    const expected = this.#expected / Math.ceil(count / most);
    this.#expected = 0;
    for (let first = 0; first < count; first += most) {
      const some = Math.min(most, count - first);
      seconds.set(await this.#measurePart(some, (index, pass) => encode(first + index, pass), expected), first);
    }
    return seconds;
  }

  async #measureByWallClock(count: number, encode: Encode): Promise<Float64Array> {
    const seconds = new Float64Array(count);
    await this.#device.finished();
    for (let index = 0; index < count; index++) {
      const encoder = this.#device.gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      encode(index, pass);
      pass.end();
      const start = performance.now();
      this.#device.gpu.queue.submit([encoder.finish()]);
      await this.#device.finished();
      seconds[index] = (performance.now() - start) / 1000;
    }
    return seconds;
  }

  async #measurePart(count: number, encode: Encode, expected: number): Promise<Float64Array> {
    const { gpu } = this.#device;
    const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
    const resolved = this.#device.createBuffer('timestamps', 16 * count, usage);
    const querySet = gpu.createQuerySet({ type: 'timestamp', count: 2 * count });
    try {
      const stamps = await this.#stampsOf(count, encode, expected, { querySet, resolved });
      const [first = 0n] = stamps;
      this.#expected += Number((stamps[2 * count - 1] ?? 0n) - first) / 1e6;
      return Float64Array.from({ length: count }, (_, index) => {
        const [begin = 0n, end = 0n] = stamps.subarray(2 * index, 2 * index + 2);
        return Number(end - begin) / 1e9;
      });
    } finally {
      querySet.destroy();
      this.#device.destroyBuffer(resolved);
    }
  }

  /** Runs the dispatches; when each began and ended, in nanoseconds. */
  async #stampsOf(
    count: number,
    encode: Encode,
    expected: number,
    { querySet, resolved }: { querySet: GPUQuerySet; resolved: GPUBuffer },
  ): Promise<BigUint64Array> {
    const { gpu } = this.#device;
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
    if (expected > SHORTEST_SLEEP) await new Promise((resolve) => setTimeout(resolve, expected + LATE));
    return new BigUint64Array(await this.#device.read(resolved, 0, resolved.size));
  }
}
