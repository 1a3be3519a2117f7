import { required } from '../base/errors.ts';
import { bytesOfTensor } from '../base/shape.ts';
import type { Device } from '../gpu/device.ts';
import type { Operand } from '../kernels/definition.ts';
import type { Choices } from './choices.ts';
import { type BoundBuffer, Executor } from './executor.ts';
import type { Graph, Node, Tensor } from './graph.ts';
import { Guards } from './guards.ts';
import { checkBindable } from './memory.ts';
import { optimise, type PassName } from './passes/index.ts';
import { type External, type Plan, type PlannedLaunch, planGraph } from './plan.ts';

export interface ProgramOptions {
  /** Tensors whose values are read after a run. */
  readonly results: readonly Tensor[];
  /** Where state lies, and results that are written into an arena. */
  readonly places?: ReadonlyMap<Tensor, External>;
  /** The buffers of the places. */
  readonly bindings?: readonly (readonly [object, BoundBuffer])[];
  /** Passes to leave out. */
  readonly without?: readonly PassName[];
  /** Which variants to take; default: the first that fits. */
  readonly choices?: Choices;
  readonly variant?: (node: Node) => string | undefined;
  /** For tests: every tensor lies between guard words, in a buffer of its own that was full of NaN. */
  readonly guarded?: boolean;
  /** For tests: operands beyond it are cut; default: what the device can bind. */
  readonly maxBindingBytes?: number;
}

/** A graph made ready to run on a device: its inputs can be written, its results read. */
export class Program {
  readonly #device: Device;
  readonly #executor: Executor;
  readonly #inputs: ReadonlyMap<Tensor, BoundBuffer>;
  readonly #guards: Guards | undefined;
  readonly #operands: ReadonlyMap<Tensor, Operand>;

  private constructor(
    device: Device,
    executor: Executor,
    inputs: ReadonlyMap<Tensor, BoundBuffer>,
    guards: Guards | undefined,
  ) {
    this.#device = device;
    this.#executor = executor;
    this.#inputs = inputs;
    this.#guards = guards;
    this.#operands = executor.plan.operands;
  }

  /** Optimises, plans and compiles the graph, which is used up by it. */
  static async compile(device: Device, graph: Graph, options: ProgramOptions): Promise<Program> {
    const { results, places = new Map<Tensor, External>() } = options;
    const kept = new Set([...results, ...places.keys()]);
    const { traits } = device;
    const { variant, choices } = options;
    const maxBindingBytes = options.maxBindingBytes ?? traits.maxBindingBytes;
    optimise(graph, kept, options.without, maxBindingBytes, traits, choices?.wrong);
    const external = new Map(places);
    const bindings = new Map(options.bindings ?? []);
    const guards = options.guarded ? new Guards(device) : undefined;
    const inputs = new Map<Tensor, BoundBuffer>();
    const read = [...new Set(graph.nodes.flatMap((node) => node.inputs))];
    await device.allocate(() => {
      for (const tensor of read) {
        if (tensor?.role !== 'input' || external.has(tensor)) continue;
        const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
        const bytes = bytesOfTensor(tensor);
        checkBindable({ label: tensor.name, bytes }, device.traits.maxBindingBytes);
        const bound = guards?.createBuffer(tensor.name, bytes, usage) ?? {
          buffer: device.createBuffer(tensor.name, bytes, usage),
        };
        inputs.set(tensor, bound);
        external.set(tensor, { storage: tensor, offset: 0 });
        bindings.set(tensor, bound);
      }
    });
    const selection = { ...(choices ? { choices } : {}), ...(variant ? { variant } : {}) };
    try {
      const plan = planGraph(graph, device.traits, { kept: new Set(results), external, ...selection });
      return new Program(device, await Executor.create(device, plan, bindings, guards), inputs, guards);
    } catch (error) {
      for (const { buffer } of inputs.values()) device.destroyBuffer(buffer);
      throw error;
    }
  }

  get plan(): Plan {
    return this.#executor.plan;
  }

  /** Bytes of the buffers that hold intermediate tensors and uniforms. */
  get bytes(): number {
    return this.#executor.bytes;
  }

  /** Whether the program reads this input. */
  uses(tensor: Tensor): boolean {
    return this.#inputs.has(tensor);
  }

  /** Writes an input, or its first elements; queued before the next run. */
  write(tensor: Tensor, values: ArrayBufferView<ArrayBuffer>): void {
    const { buffer, offset = 0 } = required(this.#inputs.get(tensor), tensor.name);
    this.#device.gpu.queue.writeBuffer(buffer, offset, values);
  }

  run(): void {
    this.#executor.run();
  }

  /** Runs once with a timer around every launch; see Executor.profile. */
  profile(): Promise<Float64Array> {
    return this.#executor.profile();
  }

  /** What `profile` and `time` measure with; see LaunchTimer. */
  get clock(): 'timestamp queries' | 'wall clock' {
    return this.#executor.clock;
  }

  /** Seconds of one run, from `repeats` runs in one submit; see Executor.time. */
  time(repeats: number, picks?: (planned: PlannedLaunch) => boolean): Promise<number> {
    return this.#executor.time(repeats, picks);
  }

  /** A contiguous result's bytes, once the runs so far are done. */
  async read(tensor: Tensor): Promise<ArrayBuffer> {
    const operand = required(this.#operands.get(tensor), tensor.name);
    const { buffer, offset } = this.#executor.locate(operand);
    return this.#device.read(buffer, offset, bytesOfTensor(tensor));
  }

  /** The buffer and first byte of a result, for copies on the GPU. */
  locate(tensor: Tensor): { buffer: GPUBuffer; offset: number } {
    return this.#executor.locate(required(this.#operands.get(tensor), tensor.name));
  }

  /** What was written outside of the tensors of a guarded program, as lines for people. */
  async findOverruns(): Promise<string[]> {
    return (await this.#guards?.findOverruns()) ?? [];
  }

  destroy(): void {
    this.#executor.destroy();
    for (const { buffer } of this.#inputs.values()) this.#device.destroyBuffer(buffer);
  }
}
