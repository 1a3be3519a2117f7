import { DeviceLostError, InternalError, OutOfMemoryError } from '../base/errors.ts';
import { mebibytes } from '../base/figures.ts';
import { roundUp } from '../base/shape.ts';
import type { AdapterKind, AdapterTraits, Precision } from '../base/traits.ts';
import { findMatrices } from './matrices.ts';
import { PipelineCache } from './pipelines.ts';
import type { ShaderLoader } from './shader.ts';

export interface DeviceDescription {
  readonly adapter: string;
  readonly kind: AdapterKind;
  /**
   * `f16`: maps and their gradients are stored in f16, where the adapter can, and multiplied in f16 where it has matrix
   * units for it; weights, statistics and all sums are f32. Default `f32`.
   */
  readonly precision?: Precision | undefined;
  /** Bytes that all buffers together may take; default: what the adapter gives. */
  readonly memoryBytes?: number | undefined;
}

/** Features that are used where the adapter has them. */
const OPTIONAL_FEATURES: readonly GPUFeatureName[] = ['timestamp-query', 'shader-f16'];

/** Within so many milliseconds a device tells that it is lost. */
const LOSS_TOLD = 200;

/** Live GPU objects made by this library. */
export interface LiveObjects {
  buffers: number;
  bytes: number;
}

/** A WebGPU device with the pipelines and the accounting that the engine shares. */
export class Device {
  readonly gpu: GPUDevice;
  readonly traits: AdapterTraits;
  readonly description: DeviceDescription;
  readonly pipelines: PipelineCache;
  readonly live: LiveObjects = { buffers: 0, bytes: 0 };
  #fault: Error | undefined;
  #lost = false;
  #destroyed = false;
  /** The buffers of the allocation that is being made; see allocate and allOrNone. */
  #making: GPUBuffer[] | undefined;

  private constructor(gpu: GPUDevice, traits: AdapterTraits, description: DeviceDescription, load: ShaderLoader) {
    this.gpu = gpu;
    this.traits = traits;
    this.description = description;
    this.pipelines = new PipelineCache(gpu, load);
    gpu.onuncapturederror = ({ error }) => {
      this.#fault ??=
        error instanceof GPUOutOfMemoryError
          ? new OutOfMemoryError(`the GPU has no memory left (${error.message})`)
          : new InternalError(error.message);
    };
    gpu.lost.then(({ message }) => {
      if (this.#destroyed) return;
      this.#lost = true;
      this.#fault ??= new DeviceLostError(
        `the GPU device was lost (${message}): run again; a training run goes on with --resume`,
      );
    });
  }

  /** Opens a device with the adapter's own limits and the features the engine uses where it has them. */
  static async open(adapter: GPUAdapter, description: DeviceDescription, load: ShaderLoader): Promise<Device> {
    const { limits } = adapter;
    const units = description.precision === 'f16' ? findMatrices(adapter) : undefined;
    const storesHalves = description.precision === 'f16' && adapter.features.has('shader-f16');
    const optional = OPTIONAL_FEATURES.filter((feature) => adapter.features.has(feature));
    const gpu = await adapter.requestDevice({
      requiredFeatures: [...new Set([...optional, ...(units?.features ?? [])])],
      requiredLimits: {
        maxBufferSize: limits.maxBufferSize,
        maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
        maxStorageBuffersPerShaderStage: Math.min(10, limits.maxStorageBuffersPerShaderStage),
        maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
        maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
        maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
      },
    });
    const kind = description.kind === 'hardware' ? 'hardware' : 'software';
    const traits: AdapterTraits = {
      kind,
      ...(description.kind === 'embedded' ? { arraysInMemory: true } : {}),
      maxBindingBytes: gpu.limits.maxStorageBufferBindingSize,
      maxBufferBytes: gpu.limits.maxBufferSize,
      workgroupBytes: gpu.limits.maxComputeWorkgroupStorageSize,
      workgroupThreads: gpu.limits.maxComputeInvocationsPerWorkgroup,
      ...(storesHalves ? { storesHalves } : {}),
      ...(units ? { matrices: units.matrices } : {}),
      expectedFlops: { hardware: 1e12, software: 1e10, embedded: 1e9 }[description.kind],
    };
    return new Device(gpu, traits, description, load);
  }

  /** A buffer of at least `bytes` (rounded up to 16), counted in `live`. Throws an OutOfMemoryError past a limit. */
  createBuffer(label: string, bytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const size = Math.max(16, roundUp(bytes, 16));
    if (size > this.traits.maxBufferBytes) {
      throw new OutOfMemoryError(
        `${label} needs ${mebibytes(size)} but this adapter's buffers hold at most ${mebibytes(this.traits.maxBufferBytes)}`,
      );
    }
    const { memoryBytes = Number.POSITIVE_INFINITY } = this.description;
    if (this.live.bytes + size > memoryBytes) {
      throw new OutOfMemoryError(
        `${label} needs ${mebibytes(size)} beside the ${mebibytes(this.live.bytes)} in use, of at most ` +
          `${mebibytes(memoryBytes)} on this adapter`,
      );
    }
    const buffer = this.gpu.createBuffer({ label, size, usage });
    this.live.buffers++;
    this.live.bytes += size;
    this.#making?.push(buffer);
    return buffer;
  }

  /** Makes all buffers that `make` creates, or none where it throws. `make` is synchronous. */
  allOrNone<T>(make: () => T): T {
    const around = this.#making;
    const made: GPUBuffer[] = [];
    this.#making = made;
    try {
      const value = make();
      around?.push(...made);
      return value;
    } catch (error) {
      for (const buffer of made) this.destroyBuffer(buffer);
      throw error;
    } finally {
      this.#making = around;
    }
  }

  /**
   * Makes all buffers that `make` creates, or none: where one is not to be had it throws an OutOfMemoryError. WebGPU does
   * not tell how much memory there is, so that this is found out by trying, in an error scope. `make` is synchronous.
   */
  async allocate<T>(make: () => T): Promise<T> {
    const made: GPUBuffer[] = [];
    this.#making = made;
    // A buffer that was refused is invalid wherever it is used.
    this.gpu.pushErrorScope('validation');
    this.gpu.pushErrorScope('out-of-memory');
    let result: { readonly value: T } | { readonly error: unknown };
    try {
      result = { value: make() };
    } catch (error) {
      result = { error };
    }
    this.#making = undefined;
    const [refused, invalid] = await Promise.all([this.gpu.popErrorScope(), this.gpu.popErrorScope()]);
    if ('value' in result && !refused && !invalid) return result.value;
    const bytes = made.reduce((sum, buffer) => sum + buffer.size, 0);
    for (const buffer of made) this.destroyBuffer(buffer);
    if ('error' in result) throw result.error;
    throw refused
      ? new OutOfMemoryError(`the GPU has no ${mebibytes(bytes)} left`)
      : new InternalError(invalid?.message ?? 'an allocation is invalid');
  }

  destroyBuffer(buffer: GPUBuffer): void {
    this.live.buffers--;
    this.live.bytes -= buffer.size;
    buffer.destroy();
  }

  /** Throws the first error that the device reported outside of an error scope, if any. */
  check(): void {
    if (this.#fault) throw this.#fault;
  }

  /** Copies `bytes` of a buffer, from `offset`, to the CPU. */
  async read(buffer: GPUBuffer, offset: number, bytes: number): Promise<ArrayBuffer> {
    const size = roundUp(bytes, 4);
    const staging = this.gpu.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = this.gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
    this.gpu.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(GPUMapMode.READ);
      this.check();
      return staging.getMappedRange().slice(0, bytes);
    } catch (error) {
      this.check();
      throw error;
    } finally {
      staging.destroy();
    }
  }

  async finished(): Promise<void> {
    await this.gpu.queue.onSubmittedWorkDone();
    this.check();
  }

  /** Whether the device was lost. What fails for that reason may fail shortly before it is told, which is waited for. */
  async isLost(): Promise<boolean> {
    await Promise.race([this.gpu.lost, new Promise((resolve) => setTimeout(resolve, LOSS_TOLD))]);
    return this.#lost;
  }

  destroy(): void {
    this.#destroyed = true;
    this.gpu.destroy();
  }
}
