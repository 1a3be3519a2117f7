import { InternalError, required } from '../base/errors.ts';
import { describeShader, type ShaderInterface, type ShaderLoader, specialise, storeAsHalves } from './shader.ts';

/** One specialisation of one entry point, and the storage bindings it uses. */
export interface PipelineKey {
  readonly shader: string;
  readonly entry: string;
  /** Files of shaders/lib that are appended whole. */
  readonly libraries: readonly string[];
  readonly constants: Readonly<Record<string, string | number>>;
  /** Names of the bindings in use, `parameters` included. */
  readonly bindings: readonly string[];
  /** Which of them hold f16. */
  readonly halves?: readonly string[];
}

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  readonly shader: ShaderInterface;
}

/** Creates each pipeline once, asynchronously, so that many compile side by side. */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #load: ShaderLoader;
  readonly #texts = new Map<string, Promise<string>>();
  readonly #pipelines = new Map<string, Promise<Pipeline>>();

  constructor(device: GPUDevice, load: ShaderLoader) {
    this.#device = device;
    this.#load = load;
  }

  /** Number of different pipelines asked for so far. */
  get size(): number {
    return this.#pipelines.size;
  }

  get(key: PipelineKey): Promise<Pipeline> {
    const id = JSON.stringify([key.shader, key.entry, key.libraries, key.constants, key.bindings, key.halves]);
    let pipeline = this.#pipelines.get(id);
    if (!pipeline) {
      pipeline = this.#create(key);
      this.#pipelines.set(id, pipeline);
    }
    return pipeline;
  }

  #text(path: string): Promise<string> {
    let text = this.#texts.get(path);
    if (!text) {
      text = this.#load(path);
      this.#texts.set(path, text);
    }
    return text;
  }

  async #create(key: PipelineKey): Promise<Pipeline> {
    const parts = await Promise.all([key.shader, ...key.libraries].map((path) => this.#text(path)));
    const code = storeAsHalves(specialise(parts.join('\n'), key.constants), key.halves ?? []);
    const shader = describeShader(code);
    const entries = key.bindings.map((name): GPUBindGroupLayoutEntry => {
      const binding = required(
        shader.bindings.find((one) => one.name === name),
        `${key.shader}: binding ${name}`,
      );
      const type =
        binding.access === 'uniform' ? 'uniform' : binding.access === 'read' ? 'read-only-storage' : 'storage';
      return { binding: binding.index, visibility: GPUShaderStage.COMPUTE, buffer: { type } };
    });
    const layout = this.#device.createBindGroupLayout({ entries });
    const module = this.#device.createShaderModule({ code, label: key.shader });
    try {
      const pipeline = await this.#device.createComputePipelineAsync({
        label: `${key.shader}:${key.entry}`,
        layout: this.#device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: key.entry },
      });
      return { pipeline, layout, shader };
    } catch (error) {
      throw new InternalError(`${key.shader}:${key.entry} does not compile: ${(error as Error).message}`);
    }
  }
}
