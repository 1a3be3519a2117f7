import type { Tensor } from '../graph/graph.ts';
import type { ModelDefinition } from './definition.ts';
import type { Network } from './network.ts';

type Kernel = number | readonly [number, number];

interface ConvOptions {
  readonly stride?: number;
  readonly padding?: Kernel;
  readonly deviation?: number;
}

/** Standard deviation of weights that no layer sets otherwise. */
const DEVIATION = 0.1;

const weights = (deviation: number) => ({ kind: 'truncated-normal', deviation, bound: 2 }) as const;

/** torchvision's BasicConv2d: convolution, normalisation, rectifier. */
function conv(
  network: Network,
  name: string,
  x: Tensor,
  [channels, kernel]: readonly [channels: number, kernel: Kernel],
  { stride = 1, padding = 0, deviation = DEVIATION }: ConvOptions = {},
): Tensor {
  const y = network.conv2d(`${name}.conv`, x, { channels, kernel, stride, padding, initialiser: weights(deviation) });
  return network.batchNorm(`${name}.bn`, y, { activation: 'relu', epsilon: 1e-3 });
}

/** A chain of convolutions that keep the size, `name` and a number each. */
function chain(network: Network, name: string, x: Tensor, layers: readonly (readonly [number, Kernel])[]): Tensor {
  return layers.reduce(
    (y, layer, index) => conv(network, `${name}_${index + 1}`, y, layer, { padding: same(layer[1]) }),
    x,
  );
}

const same = (kernel: Kernel): Kernel =>
  typeof kernel === 'number' ? (kernel - 1) / 2 : [(kernel[0] - 1) / 2, (kernel[1] - 1) / 2];

function poolBranch(network: Network, name: string, x: Tensor, channels: number): Tensor {
  const pooled = network.avgPool2d(name, x, { kernel: 3, stride: 1, padding: 1 });
  return conv(network, `${name}.branch_pool`, pooled, [channels, 1]);
}

const half = (network: Network, name: string, x: Tensor): Tensor =>
  network.maxPool2d(name, x, { kernel: 3, stride: 2 });

type Mixed = (network: Network, name: string, x: Tensor) => Tensor;

const mixedA =
  (poolChannels: number): Mixed =>
  (network, name, x) =>
    network.concat([
      conv(network, `${name}.branch1x1`, x, [64, 1]),
      chain(network, `${name}.branch5x5`, x, [
        [48, 1],
        [64, 5],
      ]),
      chain(network, `${name}.branch3x3dbl`, x, [
        [64, 1],
        [96, 3],
        [96, 3],
      ]),
      poolBranch(network, name, x, poolChannels),
    ]);

const mixedB: Mixed = (network, name, x) => {
  const single = conv(network, `${name}.branch3x3`, x, [384, 3], { stride: 2 });
  const double = chain(network, `${name}.branch3x3dbl`, x, [
    [64, 1],
    [96, 3],
  ]);
  const reduced = conv(network, `${name}.branch3x3dbl_3`, double, [96, 3], { stride: 2 });
  return network.concat([single, reduced, half(network, name, x)]);
};

const mixedC =
  (inner: number): Mixed =>
  (network, name, x) =>
    network.concat([
      conv(network, `${name}.branch1x1`, x, [192, 1]),
      chain(network, `${name}.branch7x7`, x, [
        [inner, 1],
        [inner, [1, 7]],
        [192, [7, 1]],
      ]),
      chain(network, `${name}.branch7x7dbl`, x, [
        [inner, 1],
        [inner, [7, 1]],
        [inner, [1, 7]],
        [inner, [7, 1]],
        [192, [1, 7]],
      ]),
      poolBranch(network, name, x, 192),
    ]);

const mixedD: Mixed = (network, name, x) => {
  const first = conv(network, `${name}.branch3x3_1`, x, [192, 1]);
  const single = conv(network, `${name}.branch3x3_2`, first, [320, 3], { stride: 2 });
  const double = chain(network, `${name}.branch7x7x3`, x, [
    [192, 1],
    [192, [1, 7]],
    [192, [7, 1]],
  ]);
  const reduced = conv(network, `${name}.branch7x7x3_4`, double, [192, 3], { stride: 2 });
  return network.concat([single, reduced, half(network, name, x)]);
};

const mixedE: Mixed = (network, name, x) => {
  const fork = (stem: Tensor, prefix: string) =>
    network.concat([
      conv(network, `${prefix}a`, stem, [384, [1, 3]], { padding: [0, 1] }),
      conv(network, `${prefix}b`, stem, [384, [3, 1]], { padding: [1, 0] }),
    ]);
  const direct = conv(network, `${name}.branch1x1`, x, [320, 1]);
  const single = fork(conv(network, `${name}.branch3x3_1`, x, [384, 1]), `${name}.branch3x3_2`);
  const double = chain(network, `${name}.branch3x3dbl`, x, [
    [448, 1],
    [384, 3],
  ]);
  return network.concat([direct, single, fork(double, `${name}.branch3x3dbl_3`), poolBranch(network, name, x, 192)]);
};

const BEFORE_AUXILIARY: readonly (readonly [string, Mixed])[] = [
  ['Mixed_5b', mixedA(32)],
  ['Mixed_5c', mixedA(64)],
  ['Mixed_5d', mixedA(64)],
  ['Mixed_6a', mixedB],
  ['Mixed_6b', mixedC(128)],
  ['Mixed_6c', mixedC(160)],
  ['Mixed_6d', mixedC(160)],
  ['Mixed_6e', mixedC(192)],
];

const AFTER_AUXILIARY: readonly (readonly [string, Mixed])[] = [
  ['Mixed_7a', mixedD],
  ['Mixed_7b', mixedE],
  ['Mixed_7c', mixedE],
];

const mixed = (network: Network, x: Tensor, blocks: readonly (readonly [string, Mixed])[]): Tensor =>
  blocks.reduce((y, [name, block]) => block(network, name, y), x);

function stem(network: Network, image: Tensor): Tensor {
  let x = conv(network, 'Conv2d_1a_3x3', image, [32, 3], { stride: 2 });
  x = conv(network, 'Conv2d_2a_3x3', x, [32, 3]);
  x = conv(network, 'Conv2d_2b_3x3', x, [64, 3], { padding: 1 });
  x = half(network, 'maxpool1', x);
  x = conv(network, 'Conv2d_3b_1x1', x, [80, 1]);
  x = conv(network, 'Conv2d_4a_3x3', x, [192, 3]);
  return half(network, 'maxpool2', x);
}

function auxiliaryLogits(network: Network, maps: Tensor, outputs: number): Tensor {
  let x = network.avgPool2d('AuxLogits', maps, { kernel: 5, stride: 3 });
  x = conv(network, 'AuxLogits.conv0', x, [128, 1]);
  x = conv(network, 'AuxLogits.conv1', x, [768, 5], { deviation: 0.01 });
  return network.linear('AuxLogits.fc', network.globalAvgPool2d(x), outputs, { weight: weights(0.001) });
}

/**
 * "Rethinking the Inception Architecture for Computer Vision" (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567),
 * layer for layer as torchvision's inception.py. With `auxiliary`, a second classifier learns along: its 5x5 convolution
 * needs images of 299 pixels.
 */
export function inception({ auxiliary }: { auxiliary: boolean }): ModelDefinition {
  const withAuxiliary = {
    auxiliary: { module: 'AuxLogits', head: 'AuxLogits.fc' },
    smallestTrainingImage: 299,
  } as const;
  return {
    name: 'inception_v3',
    title: 'Inception V3',
    head: 'fc',
    imagenetNormalisation: 'half',
    imagenetWeights: 'inception_v3_google-0cc3c7bd.pth',
    smallestImage: 75,
    ...(auxiliary ? withAuxiliary : {}),
    build(network, image, outputs) {
      const x = mixed(network, stem(network, image), BEFORE_AUXILIARY);
      const side = auxiliary && network.training ? auxiliaryLogits(network, x, outputs) : undefined;
      const maps = mixed(network, x, AFTER_AUXILIARY);
      const features = network.dropout('dropout', network.globalAvgPool2d(maps), 0.5);
      const logits = network.linear('fc', features, outputs, { weight: weights(DEVIATION) });
      return { logits, maps, ...(side ? { auxiliary: { logits: side, weight: 0.4 } } : {}) };
    },
  };
}
