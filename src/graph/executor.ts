import { InternalError, required } from '../base/errors.ts';
import { elementBytes, roundUp } from '../base/shape.ts';
import type { Device } from '../gpu/device.ts';
import { LaunchTimer } from '../gpu/launch-timer.ts';
import type { Pipeline } from '../gpu/pipelines.ts';
import { packUniforms } from '../gpu/shader.ts';
import type { Operand } from '../kernels/definition.ts';
import type { Guards } from './guards.ts';
import type { Slot } from './memory.ts';
import type { Plan, PlannedLaunch } from './plan.ts';

/** A submit longer than this may trip a watchdog, which resets a GPU after 2 to 10 s. In seconds. */
const LONGEST_SUBMIT = 0.2;

/** A buffer to bind, from an offset on that is a multiple of 256 bytes. */
export interface BoundBuffer {
  readonly buffer: GPUBuffer;
  readonly offset?: number;
  readonly size?: number;
}

interface Command {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

/** A plan with its pipelines, buffers and bind groups made: running it only encodes and submits. */
export class Executor {
  readonly plan: Plan;
  readonly #device: Device;
  readonly #submits: Command[][];
  readonly #owned: GPUBuffer[];
  readonly #buffers: ReadonlyMap<object, BoundBuffer>;
  readonly #timer: LaunchTimer;

  private constructor(
    device: Device,
    plan: Plan,
    submits: Command[][],
    owned: GPUBuffer[],
    buffers: ReadonlyMap<object, BoundBuffer>,
  ) {
    this.#device = device;
    this.plan = plan;
    this.#submits = submits;
    this.#owned = owned;
    this.#buffers = buffers;
    this.#timer = new LaunchTimer(device);
  }

  /**
   * Allocates the plan's buffers, compiles its pipelines side by side and makes its bind groups. `external` gives the
   * buffers of storages that the plan does not own; a storage of the plan found there is not allocated either. With
   * `guards`, no two storages share a buffer.
   */
  static async create(
    device: Device,
    plan: Plan,
    external: ReadonlyMap<object, BoundBuffer>,
    guards?: Guards,
  ): Promise<Executor> {
    const pipelines = await Promise.all(plan.launches.map((planned) => pipelineOf(device, planned)));
    const { buffers, owned, uniforms } = await device.allocate(() => ({
      ...allocate(device, plan, external, guards),
      uniforms: uploadUniforms(device, plan.launches, pipelines),
    }));
    owned.push(uniforms.buffer);
    const commands = plan.launches.map(({ launch }, index): Command => {
      const { pipeline, layout, shader } = pipelines[index] as Pipeline;
      const bound = Object.entries(launch.bindings).map(([name, operand]): GPUBindGroupEntry => {
        const declared = shader.bindings.find((one) => one.name === name);
        const resource = required(buffers.get(operand.storage), `${launch.shader}: buffer of ${name}`);
        return { binding: required(declared, `binding ${name}`).index, resource: { ...resource } };
      });
      const offset = uniforms.offsets[index] as number;
      const parameters = { buffer: uniforms.buffer, offset, size: uniforms.sizes[index] as number };
      const group = device.gpu.createBindGroup({ layout, entries: [{ binding: 0, resource: parameters }, ...bound] });
      return { pipeline, group, workgroups: launch.workgroups };
    });
    const submits = cut(plan.launches, commands, device.traits.expectedFlops * LONGEST_SUBMIT);
    return new Executor(device, plan, submits, owned, buffers);
  }

  /** Encodes and submits every launch; returns at once. */
  run(): void {
    for (const commands of this.#submits) {
      const encoder = this.#device.gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const command of commands) dispatch(pass, command);
      pass.end();
      this.#device.gpu.queue.submit([encoder.finish()]);
    }
  }

  /** Runs every launch with a timer around it; returns the seconds of each, in the order of `plan.launches`. */
  profile(): Promise<Float64Array> {
    const commands = this.#submits.flat();
    return this.#timer.measure(commands.length, (index, pass) => {
      dispatch(pass, commands[index] as Command);
    });
  }

  /** What `profile` and `time` measure with. */
  get clock(): LaunchTimer['clock'] {
    return this.#timer.clock;
  }

  /**
   * Runs the launches that `picks` takes, all by default, `repeats` times in one submit with one timer around it; returns
   * the seconds of one run.
   */
  async time(repeats: number, picks: (planned: PlannedLaunch) => boolean = () => true): Promise<number> {
    const commands = this.#submits.flat().filter((_, index) => picks(this.plan.launches[index] as PlannedLaunch));
    const [seconds = 0] = await this.#timer.measure(1, (_, pass) => {
      for (let repeat = 0; repeat < repeats; repeat++) for (const command of commands) dispatch(pass, command);
    });
    return seconds / repeats;
  }

  /** The buffer that an operand lies in and its first byte there. */
  locate(operand: Operand): { buffer: GPUBuffer; offset: number } {
    const bound = this.#buffers.get(operand.storage);
    if (!bound) throw new InternalError('the operand has no buffer in this plan');
    return { buffer: bound.buffer, offset: (bound.offset ?? 0) + elementBytes(operand.dtype) * operand.offset };
  }

  /** Bytes of the buffers that the plan owns. */
  get bytes(): number {
    return this.#owned.reduce((sum, buffer) => sum + buffer.size, 0);
  }

  destroy(): void {
    for (const buffer of this.#owned.splice(0)) this.#device.destroyBuffer(buffer);
  }
}

function dispatch(pass: GPUComputePassEncoder, { pipeline, group, workgroups }: Command): void {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(...workgroups);
}

/** Makes the plan's buffers, before anything runs. */
function allocate(device: Device, plan: Plan, external: ReadonlyMap<object, BoundBuffer>, guards?: Guards) {
  const buffers = new Map(external);
  const owned: GPUBuffer[] = [];
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  for (const slot of guards ? plan.slots.flatMap(separate) : plan.slots) {
    const missing = slot.storages.filter(({ storage }) => !buffers.has(storage));
    if (missing.length === 0) continue;
    const label = slot.storages[0]?.storage.label ?? 'activations';
    const bound = guards?.createBuffer(label, slot.bytes, usage);
    const buffer = bound?.buffer ?? device.createBuffer(label, slot.bytes, usage);
    owned.push(buffer);
    for (const { storage, offset } of missing) {
      const size = Math.min(roundUp(storage.bytes, 16), slot.bytes - offset);
      buffers.set(storage, bound ?? { buffer, offset, size });
    }
  }
  return { buffers, owned };
}

const separate = (slot: Slot): Slot[] =>
  slot.storages.map(({ storage }) => ({ bytes: storage.bytes, storages: [{ storage, offset: 0 }] }));

function pipelineOf(device: Device, { launch }: PlannedLaunch): Promise<Pipeline> {
  return device.pipelines.get({
    shader: launch.shader,
    entry: launch.entry,
    libraries: launch.libraries ?? [],
    constants: launch.constants ?? {},
    bindings: ['parameters', ...Object.keys(launch.bindings)],
    halves: Object.entries(launch.bindings).flatMap(([name, { dtype }]) => (dtype === 'f16' ? [name] : [])),
  });
}

function uploadUniforms(device: Device, launches: readonly PlannedLaunch[], pipelines: readonly Pipeline[]) {
  const blocks = launches.map(({ launch }, index) =>
    packUniforms(launch.shader, (pipelines[index] as Pipeline).shader.uniforms, launch.uniforms),
  );
  const alignment = device.gpu.limits.minUniformBufferOffsetAlignment;
  const offsets: number[] = [];
  let bytes = 0;
  for (const block of blocks) {
    offsets.push(bytes);
    bytes += roundUp(block.byteLength, alignment);
  }
  const buffer = device.createBuffer('uniforms', bytes, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
  const all = new Uint8Array(bytes);
  blocks.forEach((block, index) => {
    all.set(new Uint8Array(block), offsets[index]);
  });
  device.gpu.queue.writeBuffer(buffer, 0, all);
  return { buffer, offsets, sizes: blocks.map((block) => block.byteLength) };
}

/** Cuts the commands into submits of about `flops` each; the bits do not depend on it. */
function cut(launches: readonly PlannedLaunch[], commands: readonly Command[], flops: number): Command[][] {
  const submits: Command[][] = [[]];
  let planned = 0;
  commands.forEach((command, index) => {
    if (planned >= flops) {
      submits.push([]);
      planned = 0;
    }
    submits[submits.length - 1]?.push(command);
    planned += launches[index]?.cost.flops ?? 0;
  });
  return submits;
}
