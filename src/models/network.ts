import { required } from '../base/errors.ts';
import { fnv1a32, hash32 } from '../base/random.ts';
import { channelsOf, rowsOf, type Shape } from '../base/shape.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import type { Activation } from '../kernels/activation.ts';
import { batchNormApply, batchNormFold, batchNormMoments } from '../kernels/batch-norm/index.ts';
import { concat } from '../kernels/concat.ts';
import { conv2d } from '../kernels/conv2d/index.ts';
import { activate, add, dropout } from '../kernels/elementwise.ts';
import { avgPool2d, globalAvgPool2d, maxPool2d } from '../kernels/pool2d.ts';
import type { Initialiser } from './initialise.ts';

/** How one entry of a state_dict lies in a device tensor. */
export type EntryLayout =
  | { readonly kind: 'conv' }
  | { readonly kind: 'linear' }
  | { readonly kind: 'row'; readonly row: number };

/** One entry of PyTorch's state_dict. */
export interface StateEntry {
  readonly key: string;
  /** PyTorch's shape: [O,I/groups,H,W], [O,I] or [C]. */
  readonly shape: Shape;
  readonly layout: EntryLayout;
  readonly initialiser: Initialiser;
}

/** A tensor of the device that holds one or more entries of the state_dict. */
export interface StateSpec {
  readonly name: string;
  /** The device's shape: convolutions [KH,KW,I/groups,O], vectors [rows,C]. */
  readonly shape: Shape;
  readonly kind: 'parameter' | 'statistics';
  readonly entries: readonly StateEntry[];
}

export interface Conv2dOptions {
  readonly channels: number;
  readonly kernel: number | readonly [number, number];
  readonly stride?: number;
  readonly padding?: number | readonly [number, number];
  readonly groups?: number;
  readonly bias?: boolean;
  readonly initialiser?: Initialiser;
}

export interface BatchNormOptions {
  readonly activation?: Activation;
  readonly epsilon?: number;
  readonly momentum?: number;
}

export interface PoolOptions {
  readonly kernel: number;
  readonly stride?: number;
  readonly padding?: number;
}

const pair = (value: number | readonly [number, number]): readonly [number, number] =>
  typeof value === 'number' ? [value, value] : value;

/** How PyTorch initialises Linear and Conv2d unless a model says otherwise. */
const DEFAULT_WEIGHT: Initialiser = { kind: 'kaiming-uniform', a: Math.sqrt(5) };

/**
 * Layers by name, as PyTorch's modules: each call declares its parameters under PyTorch's state_dict names and appends
 * its ops to the graph. Feature maps are NHWC.
 */
export class Network {
  readonly graph: Graph;
  /** Batch statistics and dropout, or running statistics and none. */
  readonly training: boolean;
  /** Every tensor of the model's state, in PyTorch's order. */
  readonly states: { readonly spec: StateSpec; readonly tensor: Tensor }[] = [];
  readonly #step: Tensor | undefined;
  readonly #seed: number;
  /** Channels of feature maps that are padded with zeros to a multiple of four. */
  readonly #channels = new Map<Tensor, number>();

  constructor(graph: Graph, options: { training: boolean; step?: Tensor; seed?: number }) {
    this.graph = graph;
    this.training = options.training;
    this.#step = options.step;
    this.#seed = options.seed ?? 0;
  }

  /** Says that a feature map has `channels` channels and zeros beyond them. */
  declarePadded(x: Tensor, channels: number): Tensor {
    this.#channels.set(x, channels);
    return x;
  }

  conv2d(name: string, x: Tensor, options: Conv2dOptions): Tensor {
    const { channels, groups = 1, stride = 1, padding = 0, initialiser = DEFAULT_WEIGHT } = options;
    const [kernelHeight, kernelWidth] = pair(options.kernel);
    const inputs = this.#channels.get(x) ?? channelsOf(x.shape);
    const groupInputs = inputs / groups;
    const weight = this.#state({
      name: `${name}.weight`,
      shape: [kernelHeight, kernelWidth, channelsOf(x.shape) / groups, channels],
      kind: 'parameter',
      entries: [
        {
          key: `${name}.weight`,
          shape: [channels, groupInputs, kernelHeight, kernelWidth],
          layout: { kind: 'conv' },
          initialiser,
        },
      ],
    });
    const fanIn = groupInputs * kernelHeight * kernelWidth;
    const bias = options.bias
      ? this.#bias(name, channels, { kind: 'uniform', bound: 1 / Math.sqrt(fanIn) })
      : undefined;
    return this.#emit(name, () =>
      this.graph.emit(conv2d, [x, weight, bias, undefined], {
        stride: pair(stride),
        padding: pair(padding),
        groups,
      }),
    );
  }

  /** x [N,1,1,I] -> [N,1,1,O]: a fully connected layer, as a 1x1 convolution of one pixel. */
  linear(
    name: string,
    x: Tensor,
    outputs: number,
    initialisers: { weight?: Initialiser; bias?: Initialiser } = {},
  ): Tensor {
    const inputs = channelsOf(x.shape);
    const weight = this.#state({
      name: `${name}.weight`,
      shape: [1, 1, inputs, outputs],
      kind: 'parameter',
      entries: [
        {
          key: `${name}.weight`,
          shape: [outputs, inputs],
          layout: { kind: 'linear' },
          initialiser: initialisers.weight ?? DEFAULT_WEIGHT,
        },
      ],
    });
    const bias = this.#bias(name, outputs, initialisers.bias ?? { kind: 'uniform', bound: 1 / Math.sqrt(inputs) });
    return this.#emit(name, () =>
      this.graph.emit(conv2d, [x, weight, bias, undefined], { stride: [1, 1], padding: [0, 0], groups: 1 }),
    );
  }

  /** Batch normalisation, with the activation that follows it. */
  batchNorm(name: string, x: Tensor, options: BatchNormOptions = {}): Tensor {
    const { activation = 'none', epsilon = 1e-5, momentum = 0.1 } = options;
    const channels = channelsOf(x.shape);
    const vectors = (kind: StateSpec['kind'], suffix: string, rows: readonly [string, number][]) =>
      this.#state({
        name: `${name}.${suffix}`,
        shape: [rows.length, channels],
        kind,
        entries: rows.map(([key, value], row) => ({
          key: `${name}.${key}`,
          shape: [channels],
          layout: { kind: 'row', row },
          initialiser: { kind: 'constant', value },
        })),
      });
    const weight = vectors('parameter', 'affine', [
      ['weight', 1],
      ['bias', 0],
    ]);
    const running = vectors('statistics', 'running', [
      ['running_mean', 0],
      ['running_var', 1],
    ]);
    return this.#emit(name, () => {
      const moments = this.training ? this.graph.emit(batchNormMoments, [x], {})[0] : undefined;
      const fold = { epsilon, momentum, count: rowsOf(x.shape) };
      const [affine] = this.graph.emit(batchNormFold, [weight, running, moments], fold);
      return this.graph.emit(batchNormApply, [x, weight, affine], { training: this.training, activation });
    });
  }

  activate(x: Tensor, activation: Activation): Tensor {
    return this.#emit('', () => this.graph.emit(activate, [x], { activation }));
  }

  add(a: Tensor, b: Tensor): Tensor {
    return this.#emit('', () => this.graph.emit(add, [a, b], {}));
  }

  concat(parts: readonly Tensor[]): Tensor {
    return this.#emit('', () => this.graph.emit(concat, parts, {}));
  }

  maxPool2d(name: string, x: Tensor, { kernel, stride = kernel, padding = 0 }: PoolOptions): Tensor {
    const attributes = { kernel: pair(kernel), stride: pair(stride), padding: pair(padding) };
    return this.#emit(name, () => this.graph.emit(maxPool2d, [x], attributes));
  }

  avgPool2d(name: string, x: Tensor, { kernel, stride = kernel, padding = 0 }: PoolOptions): Tensor {
    const attributes = { kernel: pair(kernel), stride: pair(stride), padding: pair(padding), countPadding: true };
    return this.#emit(name, () => this.graph.emit(avgPool2d, [x], attributes));
  }

  /** [N,H,W,C] -> [N,1,1,C]. */
  globalAvgPool2d(x: Tensor): Tensor {
    return this.#emit('', () => this.graph.emit(globalAvgPool2d, [x], {}));
  }

  /** Dropout in training, nothing otherwise. */
  dropout(name: string, x: Tensor, probability: number): Tensor {
    if (!this.training || probability === 0) return x;
    const step = required(this.#step, 'the step of a training network');
    return this.#emit(name, () =>
      this.graph.emit(dropout, [x, step], { probability, seed: hash32(this.#seed, fnv1a32(name)) }),
    );
  }

  #bias(name: string, channels: number, initialiser: Initialiser): Tensor {
    return this.#state({
      name: `${name}.bias`,
      shape: [channels],
      kind: 'parameter',
      entries: [{ key: `${name}.bias`, shape: [channels], layout: { kind: 'row', row: 0 }, initialiser }],
    });
  }

  #state(spec: StateSpec): Tensor {
    const tensor = this.graph.state(spec.name, spec.shape);
    this.states.push({ spec, tensor });
    return tensor;
  }

  #emit(name: string, trace: () => Tensor[]): Tensor {
    this.graph.scope = name;
    const [result] = trace();
    this.graph.scope = '';
    return required(result, name);
  }
}
