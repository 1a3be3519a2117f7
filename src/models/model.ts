import { required, UserError } from '../base/errors.ts';
import { elementCount, type Shape } from '../base/shape.ts';
import type { Device } from '../gpu/device.ts';
import { Arena, layOut } from '../graph/arena.ts';
import { Graph, type Tensor } from '../graph/graph.ts';
import type { External } from '../graph/plan.ts';
import { STEP_WORDS } from '../kernels/adam.ts';
import type { Normalisation } from '../kernels/augment.ts';
import { type ExpectedTensor, type MatchedWeights, matchWeights } from '../weights/state-dict.ts';
import { type StateDict, type TensorData, toFloat32 } from '../weights/tensor-data.ts';
import { type ModelDefinition, smallestTrainingImage } from './definition.ts';
import { initialise } from './initialise.ts';
import { Network, type StateEntry, type StateSpec } from './network.ts';
import { collect, partOf, partShape, toDevice } from './state-layout.ts';

/** Outputs of a network that was trained on ImageNet. */
export const IMAGENET_CLASSES = 1000;

/** Batch norm's count of training batches in a state_dict: one int64 per normalisation. */
const BATCH_COUNT = 'num_batches_tracked';

/** A network, traced once for training at its smallest image. */
function traceSmallest(definition: ModelDefinition, outputs: number): Network {
  const graph = new Graph();
  const network = new Network(graph, { training: true, step: graph.input('step', [STEP_WORDS], 'u32') });
  const size = smallestTrainingImage(definition);
  const image = network.declarePadded(graph.input('image', [2, size, size, 4]), 3);
  definition.build(network, image, outputs);
  return network;
}

/** The model's state. */
export const stateSpecs = (definition: ModelDefinition, outputs: number): StateSpec[] =>
  traceSmallest(definition, outputs).states.map(({ spec }) => spec);

/** Whether a network has layers of dropout, whatever their probability. */
export const hasDropout = (definition: ModelDefinition): boolean => traceSmallest(definition, 1).dropouts > 0;

/** Every key of the state_dict with PyTorch's shape, in PyTorch's order. */
export function stateKeys(specs: readonly StateSpec[]): ExpectedTensor[] {
  const keys = new Map<string, Shape>();
  for (const spec of specs) {
    for (const { key, shape } of spec.entries) keys.set(key, shape);
    if (spec.kind === 'statistics') keys.set(countKey(spec), []);
  }
  return [...keys].map(([key, shape]) => ({ key, shape }));
}

/** Number of learned values, as PyTorch counts them. */
export function parameterCount(specs: readonly StateSpec[]): number {
  return specs
    .filter((spec) => spec.kind === 'parameter')
    .flatMap((spec) => spec.entries)
    .reduce((sum, entry) => sum + elementCount(partShape(entry)), 0);
}

const countKey = (spec: StateSpec): string => spec.name.replace(/running$/, BATCH_COUNT);

const matchOptions = ({ head, auxiliary }: ModelDefinition) =>
  auxiliary ? { heads: [auxiliary.head, head], optional: [`${auxiliary.module}.`] } : { heads: [head] };

/** Whether a file's tensors are this network's, a head of another size apart. */
export function fitsWeights(definition: ModelDefinition, tensors: StateDict): boolean {
  try {
    matchWeights('', tensors, stateKeys(stateSpecs(definition, 1)), matchOptions(definition));
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

/** How torchvision normalises images for these weights: those with ImageNet's 1,000 outputs may have their own way. */
export function normalisationOf(
  { head, imagenetNormalisation = 'imagenet' }: ModelDefinition,
  tensors: StateDict,
): Normalisation {
  return tensors.get(`${head}.weight`)?.shape[0] === IMAGENET_CLASSES ? imagenetNormalisation : 'imagenet';
}

/** An activation would clamp NaN to a number, and the network would answer. */
function checkFinite(file: string, key: string, values: Float32Array): void {
  const place = values.findIndex((value) => !Number.isFinite(value));
  if (place >= 0) throw new UserError(`${file}: ${key} holds ${values[place]} at ${place}: the weights are broken`);
}

/** A network with its parameters and running statistics on a device. */
export class Model {
  readonly definition: ModelDefinition;
  readonly outputs: number;
  readonly specs: readonly StateSpec[];
  readonly parameters: Arena;
  readonly statistics: Arena;
  readonly device: Device;
  /** How images are normalised for the weights at hand; plans are made with it. */
  normalisation: Normalisation = 'imagenet';
  /** Training batches that the running statistics have seen. */
  batchesTracked = 0;

  readonly #seed: number;
  /** Tensors that hold nothing yet. */
  readonly #empty: Set<StateSpec>;

  /**
   * Fresh weights drawn from `seed`, as torchvision initialises the network. `outputs`: width of the head. `initialise`
   * false: nothing is drawn until `load`, which draws what the file lacks; a VGG has 134 million weights.
   */
  constructor(
    device: Device,
    definition: ModelDefinition,
    options: { outputs?: number; seed?: number; initialise?: boolean } = {},
  ) {
    this.device = device;
    this.definition = definition;
    this.outputs = options.outputs ?? 1;
    this.specs = stateSpecs(definition, this.outputs);
    const layoutOf = (kind: StateSpec['kind']) =>
      layOut(
        this.specs.filter((spec) => spec.kind === kind),
        device.traits.maxBindingBytes,
      );
    [this.parameters, this.statistics] = device.allOrNone(() => [
      new Arena(device, 'parameters', layoutOf('parameter')),
      new Arena(device, 'statistics', layoutOf('statistics')),
    ]);
    this.#seed = options.seed ?? 0;
    this.#empty = new Set(this.specs);
    if (options.initialise !== false) this.#initialise();
  }

  /**
   * Takes over weights under PyTorch's names. A head of another size keeps its fresh values, which `notes` of the result
   * says; any other difference throws a UserError that lists names and shapes. `file` is for messages. `normalisation`:
   * what the weights were trained with; default: as torchvision's for weights with ImageNet's 1,000 outputs.
   */
  load(file: string, tensors: StateDict, normalisation?: Normalisation): MatchedWeights {
    const matched = matchWeights(file, tensors, stateKeys(this.specs), matchOptions(this.definition));
    this.normalisation = normalisation ?? normalisationOf(this.definition, tensors);
    for (const spec of this.specs) {
      const values = spec.entries.map(({ key }) => matched.tensors.get(key));
      if (values.every((value) => value !== undefined)) {
        const numbers = values.map((value) => toFloat32(value as TensorData));
        spec.entries.forEach(({ key }, index) => {
          checkFinite(file, key, numbers[index] as Float32Array);
        });
        this.#write(
          spec,
          spec.entries.map((entry, index) => partOf(entry, numbers[index] as Float32Array<ArrayBuffer>)),
        );
      }
    }
    this.#initialise();
    const counts = this.specs.filter((spec) => spec.kind === 'statistics').map(countKey);
    this.batchesTracked = Number(matched.tensors.get(counts[0] ?? '')?.data[0] ?? 0);
    return matched;
  }

  /** The whole state under PyTorch's names, in PyTorch's order and layouts. */
  async stateDict(): Promise<StateDict> {
    this.checkLoaded();
    const [parameters, statistics] = await Promise.all([this.parameters.read(), this.statistics.read()]);
    const tensors: StateDict = new Map();
    for (const spec of this.specs) {
      const values = required(parameters.get(spec.name) ?? statistics.get(spec.name), spec.name);
      collect(tensors, spec, values);
      if (spec.kind === 'statistics') {
        const data = BigInt64Array.of(BigInt(this.batchesTracked));
        tensors.set(countKey(spec), { dtype: 'I64', shape: [], data });
      }
    }
    return tensors;
  }

  /** Values in the layout of `parameters` (a gradient, a moment) under PyTorch's names and layouts. */
  named(values: ReadonlyMap<string, Float32Array>): StateDict {
    const tensors: StateDict = new Map();
    for (const spec of this.specs) {
      const device = values.get(spec.name);
      if (device) collect(tensors, spec, device);
    }
    return tensors;
  }

  /** Writes values by PyTorch's names and layouts into an arena that has the layout of `parameters`. */
  writeNamed(arena: Arena, valuesOf: (key: string) => Float32Array): void {
    for (const spec of this.specs) {
      if (spec.kind !== 'parameter') continue;
      arena.write(
        spec.name,
        toDevice(
          spec,
          spec.entries.map((entry) => partOf(entry, valuesOf(entry.key))),
        ),
      );
    }
  }

  /** Where the states of a traced network lie. */
  places(network: Network): Map<Tensor, External> {
    return new Map(
      network.states.map(({ spec, tensor }) => [
        tensor,
        (spec.kind === 'parameter' ? this.parameters : this.statistics).place(spec.name),
      ]),
    );
  }

  /** Throws where the weights are neither drawn nor loaded yet. */
  checkLoaded(): void {
    if (this.#empty.size === 0) return;
    throw new UserError(`the weights of this ${this.definition.name} are neither drawn nor loaded: call load first`);
  }

  destroy(): void {
    this.parameters.destroy();
    this.statistics.destroy();
  }

  /** Draws the tensors that hold nothing yet. */
  #initialise(): void {
    for (const spec of this.#empty) {
      const valuesOf = (entry: StateEntry) =>
        initialise(entry.initialiser, entry.key + (entry.part?.first ?? ''), partShape(entry), this.#seed);
      this.#write(spec, spec.entries.map(valuesOf));
    }
  }

  #write(spec: StateSpec, values: readonly Float32Array[]): void {
    this.#empty.delete(spec);
    const arena = spec.kind === 'parameter' ? this.parameters : this.statistics;
    arena.write(spec.name, toDevice(spec, values));
  }
}
