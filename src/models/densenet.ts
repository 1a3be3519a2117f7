import type { Tensor } from '../graph/graph.ts';
import type { ModelDefinition } from './definition.ts';
import type { Initialiser } from './initialise.ts';
import type { Network } from './network.ts';

/** Output channels of a layer's first convolution, in multiples of the growth rate. */
const BOTTLENECK = 4;

const CONV: Initialiser = { kind: 'kaiming-normal', mode: 'fan-in' };

/**
 * DenseNet-BC, "Densely Connected Convolutional Networks" (Huang et al. 2017, https://arxiv.org/abs/1608.06993), layer
 * for layer as torchvision's densenet.py.
 */
function densenet(
  name: string,
  growth: number,
  blocks: readonly number[],
  initial: number,
  hash: string,
): ModelDefinition {
  return {
    name,
    title: name.replace(/^densenet/, 'DenseNet '),
    head: 'classifier',
    imagenetWeights: `${name}-${hash}.pth`,
    smallestImage: 29,
    build(network, image, outputs) {
      let x = network.conv2d('features.conv0', image, {
        channels: initial,
        kernel: 7,
        stride: 2,
        padding: 3,
        initialiser: CONV,
      });
      x = network.batchNorm('features.norm0', x, { activation: 'relu' });
      x = network.maxPool2d('features.pool0', x, { kernel: 3, stride: 2, padding: 1 });
      let channels = initial;
      blocks.forEach((layers, index) => {
        x = denseBlock(network, `features.denseblock${index + 1}`, x, layers, growth);
        channels += layers * growth;
        if (index === blocks.length - 1) return;
        channels = Math.floor(channels / 2);
        x = transition(network, `features.transition${index + 1}`, x, channels);
      });
      const maps = network.batchNorm('features.norm5', x, { activation: 'relu' });
      const logits = network.linear('classifier', network.globalAvgPool2d(maps), outputs, {
        bias: { kind: 'constant', value: 0 },
      });
      return { logits, maps };
    },
  };
}

function denseBlock(network: Network, name: string, input: Tensor, layers: number, growth: number): Tensor {
  let x = input;
  for (let layer = 1; layer <= layers; layer++) {
    const scope = `${name}.denselayer${layer}`;
    let y = network.batchNorm(`${scope}.norm1`, x, { activation: 'relu' });
    y = network.conv2d(`${scope}.conv1`, y, { channels: BOTTLENECK * growth, kernel: 1, initialiser: CONV });
    y = network.batchNorm(`${scope}.norm2`, y, { activation: 'relu' });
    y = network.conv2d(`${scope}.conv2`, y, { channels: growth, kernel: 3, padding: 1, initialiser: CONV });
    // torchvision's drop_rate.
    y = network.dropout(`${scope}.dropout`, y, 0);
    x = network.concat([x, y]);
  }
  return x;
}

function transition(network: Network, name: string, x: Tensor, channels: number): Tensor {
  const y = network.batchNorm(`${name}.norm`, x, { activation: 'relu' });
  const reduced = network.conv2d(`${name}.conv`, y, { channels, kernel: 1, initialiser: CONV });
  return network.avgPool2d(`${name}.pool`, reduced, { kernel: 2 });
}

export const densenets: readonly ModelDefinition[] = [
  densenet('densenet121', 32, [6, 12, 24, 16], 64, 'a639ec97'),
  densenet('densenet161', 48, [6, 12, 36, 24], 96, '8d451a50'),
  densenet('densenet169', 32, [6, 12, 32, 32], 64, 'b2777c0a'),
  densenet('densenet201', 32, [6, 12, 48, 32], 64, 'c1103571'),
];
