import { required } from '../base/errors.ts';
import { channelsOf, elementCount } from '../base/shape.ts';
import type { Device } from '../gpu/device.ts';
import { Arena, layOut } from '../graph/arena.ts';
import { Graph, type Tensor } from '../graph/graph.ts';
import type { External } from '../graph/plan.ts';
import { convFromDevice, convToDevice, linearFromDevice, linearToDevice } from '../weights/layout.ts';
import { type ExpectedTensor, type MatchedWeights, matchWeights } from '../weights/state-dict.ts';
import { floatTensor, type StateDict, type TensorData, toFloat32 } from '../weights/tensor-data.ts';
import type { ModelDefinition } from './definition.ts';
import { initialise } from './initialise.ts';
import { Network, type StateEntry, type StateSpec } from './network.ts';

/** Batch norm's count of training batches in a state_dict: one int64 per normalisation. */
const BATCH_COUNT = 'num_batches_tracked';

/** The model's state, found by tracing it once at its smallest image. */
export function stateSpecs(definition: ModelDefinition, outputs: number): StateSpec[] {
  const graph = new Graph();
  const network = new Network(graph, { training: false });
  const size = definition.smallestImage;
  const image = network.declarePadded(graph.input('image', [1, size, size, 4]), 3);
  definition.build(network, image, outputs);
  return network.states.map(({ spec }) => spec);
}

/** Every key of the state_dict with PyTorch's shape, in PyTorch's order. */
export function stateKeys(specs: readonly StateSpec[]): ExpectedTensor[] {
  return specs.flatMap((spec) => {
    const keys = spec.entries.map(({ key, shape }) => ({ key, shape }));
    return spec.kind === 'statistics' ? [...keys, { key: countKey(spec), shape: [] }] : keys;
  });
}

/** Number of learned values, as PyTorch counts them. */
export function parameterCount(specs: readonly StateSpec[]): number {
  return specs
    .filter((spec) => spec.kind === 'parameter')
    .flatMap((spec) => spec.entries)
    .reduce((sum, entry) => sum + elementCount(entry.shape), 0);
}

const countKey = (spec: StateSpec): string => spec.name.replace(/running$/, BATCH_COUNT);

function toDevice(spec: StateSpec, values: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const device = new Float32Array(elementCount(spec.shape));
  spec.entries.forEach(({ layout, shape }, index) => {
    const source = values[index] as Float32Array;
    if (layout.kind === 'conv') {
      device.set(convToDevice(source, shape as [number, number, number, number], spec.shape[2]));
    } else if (layout.kind === 'linear') {
      device.set(linearToDevice(source, shape as [number, number]));
    } else {
      device.set(source, layout.row * channelsOf(spec.shape));
    }
  });
  return device;
}

function fromDevice(spec: StateSpec, entry: StateEntry, device: Float32Array): Float32Array<ArrayBuffer> {
  const { layout, shape } = entry;
  if (layout.kind === 'conv') {
    return convFromDevice(device, shape as [number, number, number, number], spec.shape[2]);
  }
  if (layout.kind === 'linear') return linearFromDevice(device, shape as [number, number]);
  const channels = channelsOf(spec.shape);
  return device.slice(layout.row * channels, (layout.row + 1) * channels) as Float32Array<ArrayBuffer>;
}

/** A network with its parameters and running statistics on a device. */
export class Model {
  readonly definition: ModelDefinition;
  readonly outputs: number;
  readonly specs: readonly StateSpec[];
  readonly parameters: Arena;
  readonly statistics: Arena;
  readonly device: Device;
  /** Training batches that the running statistics have seen. */
  batchesTracked = 0;

  /** Fresh weights drawn from `seed`, as torchvision initialises the network. `outputs`: width of the head. */
  constructor(device: Device, definition: ModelDefinition, options: { outputs?: number; seed?: number } = {}) {
    this.device = device;
    this.definition = definition;
    this.outputs = options.outputs ?? 1;
    this.specs = stateSpecs(definition, this.outputs);
    const layoutOf = (kind: StateSpec['kind']) =>
      layOut(
        this.specs.filter((spec) => spec.kind === kind),
        device.traits.maxBindingBytes,
      );
    this.parameters = new Arena(device, 'parameters', layoutOf('parameter'));
    this.statistics = new Arena(device, 'statistics', layoutOf('statistics'));
    const seed = options.seed ?? 0;
    for (const spec of this.specs) {
      this.#write(
        spec,
        spec.entries.map(({ initialiser, key, shape }) => initialise(initialiser, key, shape, seed)),
      );
    }
  }

  /**
   * Takes over weights under PyTorch's names. A head of another size keeps its fresh values, which `notes` of the result
   * says; any other difference throws a UserError that lists names and shapes. `file` is for messages.
   */
  load(file: string, tensors: StateDict): MatchedWeights {
    const matched = matchWeights(file, tensors, stateKeys(this.specs), { heads: [this.definition.head] });
    for (const spec of this.specs) {
      const values = spec.entries.map(({ key }) => matched.tensors.get(key));
      if (values.every((value) => value !== undefined)) {
        this.#write(
          spec,
          values.map((value) => toFloat32(value as TensorData)),
        );
      }
    }
    const counts = this.specs.filter((spec) => spec.kind === 'statistics').map(countKey);
    this.batchesTracked = Number(matched.tensors.get(counts[0] ?? '')?.data[0] ?? 0);
    return matched;
  }

  /** The whole state under PyTorch's names, in PyTorch's order and layouts. */
  async stateDict(): Promise<StateDict> {
    const [parameters, statistics] = await Promise.all([this.parameters.read(), this.statistics.read()]);
    const tensors: StateDict = new Map();
    for (const spec of this.specs) {
      const values = required(parameters.get(spec.name) ?? statistics.get(spec.name), spec.name);
      for (const entry of spec.entries) {
        tensors.set(entry.key, floatTensor(entry.shape, fromDevice(spec, entry, values)));
      }
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
      if (!device) continue;
      for (const entry of spec.entries) {
        tensors.set(entry.key, floatTensor(entry.shape, fromDevice(spec, entry, device)));
      }
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
          spec.entries.map(({ key }) => valuesOf(key)),
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

  destroy(): void {
    this.parameters.destroy();
    this.statistics.destroy();
  }

  #write(spec: StateSpec, values: readonly Float32Array[]): void {
    const arena = spec.kind === 'parameter' ? this.parameters : this.statistics;
    arena.write(spec.name, toDevice(spec, values));
  }
}
