import { required } from '../../base/errors.ts';
import { channelsOf } from '../../base/shape.ts';
import type { Tensor } from '../../graph/graph.ts';
import { convFromDevice } from '../../weights/layout.ts';
import type { OnnxAttribute, OnnxInitializer, OnnxNode } from '../../weights/onnx.ts';
import type { StateSpec } from '../network.ts';

/** A tensor of the model's state with its values in the device's layout. */
export interface StateValues {
  readonly spec: StateSpec;
  readonly values: Float32Array;
}

/** An ONNX graph as it grows: values by the tensors of the traced graph that they stand for. */
export class OnnxBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly initializers = new Map<string, OnnxInitializer>();
  readonly #states: ReadonlyMap<Tensor, StateValues>;
  readonly #values = new Map<Tensor, string>();
  readonly #channels = new Map<Tensor, number>();
  readonly #taken = new Set<string>();

  constructor(states: ReadonlyMap<Tensor, StateValues>) {
    this.#states = states;
  }

  /** The graph's input: a feature map of which only the first `channels` are real. */
  declareInput(tensor: Tensor, name: string, channels: number): void {
    this.#taken.add(name);
    this.bind(tensor, name);
    this.#channels.set(tensor, channels);
  }

  /** Says which value stands for a tensor. */
  bind(tensor: Tensor, value: string): void {
    this.#values.set(tensor, value);
  }

  value(tensor: Tensor | undefined): string {
    const { name } = required(tensor, 'onnx: an operand');
    return required(this.#values.get(tensor as Tensor), `onnx: the value of ${name}`);
  }

  state(tensor: Tensor | undefined): StateValues {
    const { name } = required(tensor, 'onnx: a state');
    return required(this.#states.get(tensor as Tensor), `onnx: the state ${name}`);
  }

  /** Appends a node and returns its output's name: the layer's and the operator's. */
  emit(
    scope: string,
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
  ): string {
    const stem = scope ? `${scope}/${opType}` : opType;
    let name = stem;
    for (let number = 2; this.#taken.has(name); number++) name = `${stem}_${number}`;
    this.#taken.add(name);
    this.nodes.push({ name, opType, inputs, outputs: [name], attributes });
    return name;
  }

  /** Makes a tensor the graph's output: a matrix [N, C] under `name`. */
  finish(result: Tensor, name: string): void {
    const isMatrix = this.nodes.some(({ opType, outputs }) => opType === 'Gemm' && outputs[0] === this.value(result));
    if (!isMatrix) this.bind(result, this.emit('', 'Flatten', [this.value(result)], { axis: 1 }));
    const value = this.value(result);
    const index = this.nodes.findIndex(({ outputs }) => outputs[0] === value);
    this.nodes[index] = { ...required(this.nodes[index], value), outputs: [name] };
  }

  /** A constant under a name of its own; given twice it is kept once. */
  initializer(name: string, shape: readonly number[], data: Float32Array): string {
    this.initializers.set(name, { shape, data });
    return name;
  }

  /** The weight of a convolution of `x` as [O, I/groups, KH, KW], or, as a matrix, [O, I * KH * KW]. */
  weight(weight: Tensor | undefined, x: Tensor, groups: number, asMatrix: boolean): string {
    const { spec, values } = this.state(weight);
    const [height, width, deviceInputs, outputs] = spec.shape as [number, number, number, number];
    const inputs = (this.#channels.get(x) ?? channelsOf(x.shape)) / groups;
    const data = convFromDevice(values, [outputs, inputs, height, width], deviceInputs);
    const shape = asMatrix ? [outputs, inputs * height * width] : [outputs, inputs, height, width];
    return this.initializer(spec.name, shape, data);
  }

  /** The vector that a state of shape [C] is. */
  vector(tensor: Tensor | undefined): string {
    const { spec, values } = this.state(tensor);
    return this.initializer(spec.name, spec.shape, values);
  }

  /** The rows of a state of shape [rows, C], each under its name in the state_dict. */
  rows(tensor: Tensor | undefined): string[] {
    const { spec, values } = this.state(tensor);
    const channels = channelsOf(spec.shape);
    return spec.entries.map(({ key }, row) =>
      this.initializer(key, [channels], values.subarray(row * channels, (row + 1) * channels)),
    );
  }
}
