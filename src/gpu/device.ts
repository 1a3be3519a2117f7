import { InternalError, UserError } from '../base/errors.ts';
import { roundUp } from '../base/shape.ts';
import type { AdapterTraits } from '../base/traits.ts';
import { PipelineCache } from './pipelines.ts';
import type { ShaderLoader } from './shader.ts';

export interface DeviceDescription {
  readonly adapter: string;
  readonly kind: 'hardware' | 'software' | 'embedded';
}

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

  private constructor(gpu: GPUDevice, traits: AdapterTraits, description: DeviceDescription, load: ShaderLoader) {
    this.gpu = gpu;
    this.traits = traits;
    this.description = description;
    this.pipelines = new PipelineCache(gpu, load);
    gpu.onuncapturederror = ({ error }) => {
      this.#fault ??=
        error instanceof GPUOutOfMemoryError
          ? new UserError(`the GPU has no memory left (${error.message}): use a smaller --batch-size or --image-size`)
          : new InternalError(error.message);
    };
    gpu.lost.then(({ reason, message }) => {
      if (reason === 'destroyed') return;
      this.#fault ??= new UserError(
        `the GPU device was lost (${message}): run again; a training run goes on with --resume`,
      );
    });
  }

  /** Opens a device with the adapter's own limits and the features the engine uses where it has them. */
  static async open(adapter: GPUAdapter, description: DeviceDescription, load: ShaderLoader): Promise<Device> {
    const { limits } = adapter;
    const gpu = await adapter.requestDevice({
      requiredFeatures: adapter.features.has('timestamp-query') ? ['timestamp-query'] : [],
      requiredLimits: {
        maxBufferSize: limits.maxBufferSize,
        maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
        maxStorageBuffersPerShaderStage: Math.min(10, limits.maxStorageBuffersPerShaderStage),
        maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
        maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      },
    });
    const kind = description.kind === 'hardware' ? 'hardware' : 'software';
    const traits: AdapterTraits = {
      kind,
      maxBindingBytes: gpu.limits.maxStorageBufferBindingSize,
      maxBufferBytes: gpu.limits.maxBufferSize,
      expectedFlops: { hardware: 1e12, software: 1e10, embedded: 1e9 }[description.kind],
    };
    return new Device(gpu, traits, description, load);
  }

  /** A buffer of at least `bytes` (rounded up to 16), counted in `live`. */
  createBuffer(label: string, bytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const size = Math.max(16, roundUp(bytes, 16));
    if (size > this.traits.maxBufferBytes) {
      throw new UserError(
        `${label} needs ${(size / 2 ** 20).toFixed(0)} MiB but this adapter's buffers hold at most ` +
          `${(this.traits.maxBufferBytes / 2 ** 20).toFixed(0)} MiB: use a smaller --batch-size or --image-size`,
      );
    }
    this.live.buffers++;
    this.live.bytes += size;
    return this.gpu.createBuffer({ label, size, usage });
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

  destroy(): void {
    this.gpu.destroy();
  }
}
