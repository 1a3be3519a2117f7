import { required } from '../base/errors.ts';
import { fnv1a32, hash32 } from '../base/random.ts';
import { channelsOf, roundUp, rowsOf, type Shape } from '../base/shape.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import type { Activation } from '../kernels/activation.ts';
import { batchNormApply, batchNormFold, batchNormMoments } from '../kernels/batch-norm/index.ts';
import { concat } from '../kernels/concat.ts';
import { conv2d } from '../kernels/conv2d/index.ts';
import { activate, add, dropout } from '../kernels/elementwise.ts';
import { adaptiveAvgPool2d, avgPool2d, globalAvgPool2d, maxPool2d } from '../kernels/pool2d/index.ts';
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
  /** The device tensor holds only these of the first dimension; absent: all. */
  readonly part?: { readonly first: number; readonly count: number };
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
  /** True: a bias that starts as PyTorch's default. */
  readonly bias?: boolean | Initialiser;
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

/**
 * A weight of more bytes is kept in parts, on every adapter alike: WebGPU promises bindings of this size and no larger,
 * and software adapters have none larger.
 */
const LARGEST_WEIGHT = 2 ** 27;

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
  readonly #dropout: number | undefined;
  readonly #frozen: (name: string) => boolean;
  /** Layers of dropout so far, whatever their probability. */
  dropouts = 0;
  /** Channels of feature maps that are padded with zeros to a multiple of four. */
  readonly #channels = new Map<Tensor, number>();

  /**
   * `dropout`: probability of every dropout layer; default: each layer's own. `frozen`: which layers, by name, are not
   * trained: they learn nothing, and batch norm among them goes by its running statistics, which stay as they are.
   */
  constructor(
    graph: Graph,
    options: {
      training: boolean;
      step?: Tensor;
      seed?: number;
      dropout?: number | undefined;
      frozen?: (name: string) => boolean;
    },
  ) {
    this.graph = graph;
    this.training = options.training;
    this.#step = options.step;
    this.#seed = options.seed ?? 0;
    this.#dropout = options.dropout;
    this.#frozen = options.frozen ?? (() => false);
  }

  /** Whether the layer, or the tensor of its state, of this name is not trained. */
  isFrozen(name: string): boolean {
    return this.#frozen(name);
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
    const uniform: Initialiser = { kind: 'uniform', bound: 1 / Math.sqrt(fanIn) };
    const bias = options.bias
      ? this.#bias(name, { outputs: channels }, options.bias === true ? uniform : options.bias)
      : undefined;
    return this.#emit(name, () =>
      this.graph.emit(conv2d, [x, weight, bias, undefined], {
        stride: pair(stride),
        padding: pair(padding),
        groups,
      }),
    );
  }

  /**
   * x [N,h,w,C] -> [N,1,1,O]: a fully connected layer on the flattened maps, as a convolution whose kernel is as large as
   * they are. PyTorch's weight is [O, C*h*w], flattened channel by channel.
   */
  linear(
    name: string,
    x: Tensor,
    outputs: number,
    initialisers: { weight?: Initialiser; bias?: Initialiser } = {},
  ): Tensor {
    const [, height = 1, width = 1, channels = 1] = x.shape;
    const inputs = height * width * channels;
    const uniform: Initialiser = { kind: 'uniform', bound: 1 / Math.sqrt(inputs) };
    const parts = partsOf(inputs, outputs).map((part) => {
      const weight = this.#state({
        name: `${name}.weight${suffixOf(part)}`,
        shape: [height, width, channels, part?.count ?? outputs],
        kind: 'parameter',
        entries: [
          {
            key: `${name}.weight`,
            shape: [outputs, inputs],
            ...(part ? { part } : {}),
            layout: { kind: 'linear' },
            initialiser: initialisers.weight ?? DEFAULT_WEIGHT,
          },
        ],
      });
      return { weight, bias: this.#bias(name, { outputs, part }, initialisers.bias ?? uniform) };
    });
    const attributes = { stride: [1, 1], padding: [0, 0], groups: 1 } as const;
    const results = parts.map(({ weight, bias }) =>
      this.#emit(name, () => this.graph.emit(conv2d, [x, weight, bias, undefined], attributes)),
    );
    return results.length === 1 ? (results[0] as Tensor) : this.concat(results);
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
    const training = this.training && !this.isFrozen(name);
    return this.#emit(name, () => {
      const moments = training ? this.graph.emit(batchNormMoments, [x], {})[0] : undefined;
      const fold = { epsilon, momentum, count: rowsOf(x.shape) };
      const [affine] = this.graph.emit(batchNormFold, [weight, running, moments], fold);
      return this.graph.emit(batchNormApply, [x, weight, affine], { training, activation });
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

  /** [N,H,W,C] -> [N,size,size,C]; windows overlap where the maps are no multiple of it. */
  adaptiveAvgPool2d(name: string, x: Tensor, size: number): Tensor {
    const [, height, width] = x.shape;
    if (height === size && width === size) return x;
    return this.#emit(name, () => this.graph.emit(adaptiveAvgPool2d, [x], { size }));
  }

  /** Dropout in training, nothing otherwise. */
  dropout(name: string, x: Tensor, ownProbability: number): Tensor {
    this.dropouts++;
    const probability = this.#dropout ?? ownProbability;
    if (!this.training || probability === 0) return x;
    const step = required(this.#step, 'the step of a training network');
    return this.#emit(name, () =>
      this.graph.emit(dropout, [x, step], { probability, seed: hash32(this.#seed, fnv1a32(name)) }),
    );
  }

  #bias(
    name: string,
    { outputs, part }: { outputs: number; part?: Part | undefined },
    initialiser: Initialiser,
  ): Tensor {
    const key = `${name}.bias`;
    return this.#state({
      name: `${key}${suffixOf(part)}`,
      shape: [part?.count ?? outputs],
      kind: 'parameter',
      entries: [{ key, shape: [outputs], ...(part ? { part } : {}), layout: { kind: 'row', row: 0 }, initialiser }],
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

type Part = NonNullable<StateEntry['part']>;

/** Equal parts of a linear layer's outputs, each of a multiple of four, so that none is too large; undefined: the whole. */
function partsOf(inputs: number, outputs: number): (Part | undefined)[] {
  const parts = Math.ceil((4 * inputs * outputs) / LARGEST_WEIGHT);
  if (parts === 1) return [undefined];
  const count = roundUp(Math.ceil(outputs / parts), 4);
  return Array.from({ length: Math.ceil(outputs / count) }, (_, index) => ({
    first: index * count,
    count: Math.min(count, outputs - index * count),
  }));
}

const suffixOf = (part: Part | undefined): string => (part ? `[${part.first}:${part.first + part.count}]` : '');
