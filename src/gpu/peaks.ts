import { ceilDivide } from '../base/shape.ts';
import type { SubgroupMatrices } from '../base/traits.ts';
import type { Device } from './device.ts';
import { LaunchTimer } from './launch-timer.ts';
import type { PipelineKey } from './pipelines.ts';
import { packUniforms } from './shader.ts';

/** What an adapter was measured to do at most. */
export interface Peaks {
  /** f32 multiply-adds in registers, in FLOP/s; a multiply-add is 2. */
  readonly flops: number;
  /** The same in f16; null where the adapter lacks shader-f16. */
  readonly halfFlops: number | null;
  /** Matrices of f16 in registers with sums in f32, in FLOP/s; only on a GPU whose device may use them. */
  readonly matrixFlops?: number;
  /** Bytes read and written by a copy that fits no cache, in B/s. */
  readonly bandwidth: number;
}

/** Flops of one lane in one turn of the loop of `multiply_add`: 8 multiply-adds of four vectors. */
const FLOPS_OF_TURN = 2 * 8 * 4 * 4;
/** A measure lasts about so long, in seconds, and the best of some is taken: a peak is what can be reached. */
const LONG_ENOUGH = 0.02;
const TRIES = 10;
const MOST_REPEATS = 1 << 24;
const MIB = 2 ** 20;

/** Products of one subgroup in one turn of the loop of `multiply_matrices`: 4 of each of four sums. */
const PRODUCTS_OF_TURN = 16;
const SUBGROUPS = 4;

const FILE = 'peak.wgsl';
/** Operands with which no number grows out of range. */
const NUMBERS = { factor: 0.5, term: 1 };

/** One dispatch of shaders/peak.wgsl or shaders/peak_matrices.wgsl. */
interface Dispatch {
  readonly entry: 'multiply_add' | 'copy' | 'multiply_matrices';
  readonly constants: Readonly<Record<string, string | number>>;
  /** Files, the first one in front; default: peak.wgsl. */
  readonly files?: readonly [string, ...string[]];
  /** Uniforms beside `repeats` and NUMBERS. */
  readonly uniforms?: Readonly<Record<string, number>>;
  readonly workgroups: readonly [number, number];
}

const measured = new WeakMap<Device, Promise<Peaks>>();

/** The peaks of a device's adapter, measured at the first call, which takes about a second. */
export function measurePeaks(device: Device): Promise<Peaks> {
  let peaks = measured.get(device);
  if (!peaks) {
    peaks = new PeakMeter(device).measure();
    measured.set(device, peaks);
  }
  return peaks;
}

class PeakMeter {
  readonly #device: Device;
  readonly #timer: LaunchTimer;
  readonly #buffers: GPUBuffer[] = [];

  constructor(device: Device) {
    this.#device = device;
    this.#timer = new LaunchTimer(device);
  }

  async measure(): Promise<Peaks> {
    try {
      const half = this.#device.gpu.features.has('shader-f16');
      const { kind, matrices } = this.#device.traits;
      return {
        flops: await this.#flops(false),
        halfFlops: half ? await this.#flops(true) : null,
        ...(kind === 'hardware' && matrices ? { matrixFlops: await this.#matrixFlops(matrices) } : {}),
        bandwidth: await this.#bandwidth(),
      };
    } finally {
      for (const buffer of this.#buffers) this.#device.destroyBuffer(buffer);
    }
  }

  async #flops(half: boolean): Promise<number> {
    const { lanes, groups } =
      this.#device.traits.kind === 'hardware' ? { lanes: 256, groups: 4096 } : { lanes: 64, groups: 64 };
    const y = this.#createBuffer(16 * lanes * groups);
    const constants = { ...(half ? { T: 'vec4<f16>' } : {}), LANES: lanes };
    const files = half ? (['lib/enable_f16.wgsl', FILE] as const) : ([FILE] as const);
    const uniforms = { vectors: 0 };
    const run = await this.#prepare(
      { entry: 'multiply_add', constants, files, uniforms, workgroups: [groups, 1] },
      { y },
    );
    return FLOPS_OF_TURN * lanes * groups * (await this.#turnsPerSecond(run));
  }

  async #matrixFlops({ m, n, k, subgroupSize }: SubgroupMatrices): Promise<number> {
    const groups = 4096;
    const y = this.#createBuffer(4 * 4 * m * n * SUBGROUPS * groups);
    const constants = { SUBGROUP: subgroupSize, SUBGROUPS, SIZE_M: m, SIZE_N: n, SIZE_K: k };
    const files = ['lib/enable_matrices.wgsl', 'peak_matrices.wgsl'] as const;
    const run = await this.#prepare({ entry: 'multiply_matrices', constants, files, workgroups: [groups, 1] }, { y });
    return 2 * m * n * k * PRODUCTS_OF_TURN * SUBGROUPS * groups * (await this.#turnsPerSecond(run));
  }

  /** The most turns of a kernel's loop in a second; a run lasts long enough to be measured. */
  async #turnsPerSecond(run: (repeats: number) => Promise<number>): Promise<number> {
    let repeats = 1;
    let seconds = await run(repeats);
    while (seconds < LONG_ENOUGH / 2 && repeats < MOST_REPEATS) {
      repeats = Math.ceil(repeats * Math.min(8, LONG_ENOUGH / Math.max(seconds, 1e-6)));
      seconds = await run(repeats);
    }
    for (let round = 1; round < TRIES; round++) seconds = Math.min(seconds, await run(repeats));
    return repeats / seconds;
  }

  async #bandwidth(): Promise<number> {
    const { traits } = this.#device;
    const isHardware = traits.kind === 'hardware';
    const bytes = Math.min(traits.maxBindingBytes, (isHardware ? 256 : 64) * MIB);
    const [x, y] = [this.#createBuffer(bytes), this.#createBuffer(bytes)];
    const vectors = Math.floor(bytes / 16);
    let best = Number.POSITIVE_INFINITY;
    // A driver for a CPU may move rows of 8 lanes or of 256 faster.
    for (const [lanes, steps] of [[256, 4] as const, ...(isHardware ? [] : [[8, 8192] as const])]) {
      const groups = ceilDivide(vectors, lanes * steps);
      const columns = Math.min(groups, 65535);
      const constants = { LANES: lanes, STEPS: steps };
      const workgroups = [columns, ceilDivide(groups, columns)] as const;
      const run = await this.#prepare({ entry: 'copy', constants, uniforms: { vectors }, workgroups }, { x, y });
      for (let round = 0; round < TRIES; round++) best = Math.min(best, await run(0));
    }
    return (2 * 16 * vectors) / best;
  }

  /** Compiles a dispatch; the returned function runs it with so many repeats and gives its seconds. */
  async #prepare(
    dispatch: Dispatch,
    buffers: Record<string, GPUBuffer>,
  ): Promise<(repeats: number) => Promise<number>> {
    const { gpu, pipelines } = this.#device;
    const [file, ...libraries] = dispatch.files ?? [FILE];
    const key: PipelineKey = {
      shader: file,
      libraries,
      entry: dispatch.entry,
      constants: dispatch.constants,
      bindings: ['parameters', ...Object.keys(buffers)],
    };
    const { pipeline, layout, shader } = await pipelines.get(key);
    const parameters = this.#createBuffer(16, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
    const entries = shader.bindings
      .map(({ name, index }) => ({ buffer: { parameters, ...buffers }[name], binding: index }))
      .flatMap(({ buffer, binding }) => (buffer ? [{ binding, resource: { buffer } }] : []));
    const group = gpu.createBindGroup({ layout, entries });
    return async (repeats) => {
      const values = { repeats, ...NUMBERS, ...dispatch.uniforms };
      gpu.queue.writeBuffer(parameters, 0, packUniforms(file, shader.uniforms, values));
      const [seconds = 0] = await this.#timer.measure(1, (_, pass) => {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...dispatch.workgroups);
      });
      return seconds;
    };
  }

  #createBuffer(bytes: number, usage = GPUBufferUsage.STORAGE): GPUBuffer {
    const buffer = this.#device.createBuffer('peaks', bytes, usage);
    this.#buffers.push(buffer);
    return buffer;
  }
}
