import { required } from '../base/errors.ts';
import { elementCount } from '../base/shape.ts';
import type { Device } from '../gpu/device.ts';
import type { Operand } from '../kernels/definition.ts';
import { type BoundBuffer, Executor } from './executor.ts';
import type { Graph, Node, Tensor } from './graph.ts';
import { optimise, type PassName } from './passes/index.ts';
import { type External, type Plan, planGraph } from './plan.ts';

export interface ProgramOptions {
  /** Tensors whose values are read after a run. */
  readonly results: readonly Tensor[];
  /** Where state lies, and results that are written into an arena. */
  readonly places?: ReadonlyMap<Tensor, External>;
  /** The buffers of the places. */
  readonly bindings?: readonly (readonly [object, BoundBuffer])[];
  /** Passes to leave out. */
  readonly without?: readonly PassName[];
  readonly variant?: (node: Node) => string | undefined;
}

/** A graph made ready to run on a device: its inputs can be written, its results read. */
export class Program {
  readonly #device: Device;
  readonly #executor: Executor;
  readonly #inputs: ReadonlyMap<Tensor, GPUBuffer>;
  readonly #operands: ReadonlyMap<Tensor, Operand>;

  private constructor(device: Device, executor: Executor, inputs: ReadonlyMap<Tensor, GPUBuffer>) {
    this.#device = device;
    this.#executor = executor;
    this.#inputs = inputs;
    this.#operands = executor.plan.operands;
  }

  /** Optimises, plans and compiles the graph, which is used up by it. */
  static async compile(device: Device, graph: Graph, options: ProgramOptions): Promise<Program> {
    const { results, places = new Map<Tensor, External>() } = options;
    const kept = new Set([...results, ...places.keys()]);
    optimise(graph, kept, options.without);
    const external = new Map(places);
    const bindings = new Map(options.bindings ?? []);
    const inputs = new Map<Tensor, GPUBuffer>();
    for (const tensor of new Set(graph.nodes.flatMap((node) => node.inputs))) {
      if (tensor?.role !== 'input' || external.has(tensor)) continue;
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
      const buffer = device.createBuffer(tensor.name, 4 * elementCount(tensor.shape), usage);
      inputs.set(tensor, buffer);
      external.set(tensor, { storage: tensor, offset: 0 });
      bindings.set(tensor, { buffer });
    }
    const variant = options.variant ? { variant: options.variant } : {};
    const plan = planGraph(graph, device.traits, { kept: new Set(results), external, ...variant });
    return new Program(device, await Executor.create(device, plan, bindings), inputs);
  }

  get plan(): Plan {
    return this.#executor.plan;
  }

  /** Bytes of the buffers that hold intermediate tensors and uniforms. */
  get bytes(): number {
    return this.#executor.bytes;
  }

  /** Writes an input, or its first elements; queued before the next run. */
  write(tensor: Tensor, values: ArrayBufferView<ArrayBuffer>): void {
    this.#device.gpu.queue.writeBuffer(required(this.#inputs.get(tensor), tensor.name), 0, values);
  }

  run(): void {
    this.#executor.run();
  }

  /** Runs once with a timer around every launch; see Executor.profile. */
  profile(): Promise<Float64Array> {
    return this.#executor.profile();
  }

  /** A contiguous result's bytes, once the runs so far are done. */
  async read(tensor: Tensor): Promise<ArrayBuffer> {
    const operand = required(this.#operands.get(tensor), tensor.name);
    const { buffer, offset } = this.#executor.locate(operand);
    return this.#device.read(buffer, offset, 4 * elementCount(tensor.shape));
  }

  /** The buffer and first byte of a result, for copies on the GPU. */
  locate(tensor: Tensor): { buffer: GPUBuffer; offset: number } {
    return this.#executor.locate(required(this.#operands.get(tensor), tensor.name));
  }

  destroy(): void {
    this.#executor.destroy();
    for (const buffer of this.#inputs.values()) this.#device.destroyBuffer(buffer);
  }
}
