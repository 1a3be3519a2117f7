import type { Tensor } from '../graph/graph.ts';
import type { ModelDefinition } from './definition.ts';
import type { Initialiser } from './initialise.ts';
import type { Network } from './network.ts';

const CONV: Initialiser = { kind: 'kaiming-normal', mode: 'fan-out' };

/** Output channels of a bottleneck, in multiples of its stage's channels. */
const EXPANSION = 4;

/** Channels of the four stages. */
const STAGES = [64, 128, 256, 512];

/** What a residual block computes besides its shortcut. */
interface Block {
  /** Output channels of a stage of `channels`. */
  outputs(channels: number): number;
  /** Up to and with the last normalisation. */
  branch(network: Network, name: string, x: Tensor, channels: number, stride: number): Tensor;
}

const basic: Block = {
  outputs: (channels) => channels,
  branch(network, name, x, channels, stride) {
    let y = conv(network, `${name}.conv1`, x, { channels, kernel: 3, stride });
    y = network.batchNorm(`${name}.bn1`, y, { activation: 'relu' });
    y = conv(network, `${name}.conv2`, y, { channels, kernel: 3 });
    return network.batchNorm(`${name}.bn2`, y);
  },
};

/** The stride lies in the 3x3 convolution, as in torchvision ("ResNet V1.5"). */
function bottleneck({ groups, groupWidth }: { groups: number; groupWidth: number }): Block {
  return {
    outputs: (channels) => EXPANSION * channels,
    branch(network, name, x, channels, stride) {
      const width = Math.floor((channels * groupWidth) / 64) * groups;
      let y = conv(network, `${name}.conv1`, x, { channels: width, kernel: 1 });
      y = network.batchNorm(`${name}.bn1`, y, { activation: 'relu' });
      y = conv(network, `${name}.conv2`, y, { channels: width, kernel: 3, stride, groups });
      y = network.batchNorm(`${name}.bn2`, y, { activation: 'relu' });
      y = conv(network, `${name}.conv3`, y, { channels: EXPANSION * channels, kernel: 1 });
      return network.batchNorm(`${name}.bn3`, y);
    },
  };
}

function conv(
  network: Network,
  name: string,
  x: Tensor,
  options: { channels: number; kernel: number; stride?: number; groups?: number },
): Tensor {
  return network.conv2d(name, x, { ...options, padding: (options.kernel - 1) / 2, initialiser: CONV });
}

/**
 * "Deep Residual Learning for Image Recognition" (He et al. 2016, https://arxiv.org/abs/1512.03385) and "Aggregated
 * Residual Transformations for Deep Neural Networks" (Xie et al. 2017, https://arxiv.org/abs/1611.05431), layer for layer
 * as torchvision's resnet.py. `layers`: blocks of each stage.
 */
function resnet(name: string, title: string, block: Block, layers: readonly number[], hash: string): ModelDefinition {
  return {
    name,
    title,
    head: 'fc',
    imagenetWeights: `${name}-${hash}.pth`,
    smallestImage: 32,
    build(network, image, outputs) {
      let x = conv(network, 'conv1', image, { channels: 64, kernel: 7, stride: 2 });
      x = network.batchNorm('bn1', x, { activation: 'relu' });
      x = network.maxPool2d('maxpool', x, { kernel: 3, stride: 2, padding: 1 });
      let inputs = 64;
      STAGES.forEach((channels, stage) => {
        for (let index = 0; index < (layers[stage] as number); index++) {
          const stride = stage > 0 && index === 0 ? 2 : 1;
          const projected = stride > 1 || inputs !== block.outputs(channels);
          x = residual(network, `layer${stage + 1}.${index}`, x, { block, channels, stride, projected });
          inputs = block.outputs(channels);
        }
      });
      return { logits: network.linear('fc', network.globalAvgPool2d(x), outputs), maps: x };
    },
  };
}

function residual(
  network: Network,
  name: string,
  x: Tensor,
  { block, channels, stride, projected }: { block: Block; channels: number; stride: number; projected: boolean },
): Tensor {
  const y = block.branch(network, name, x, channels, stride);
  if (!projected) return network.activate(network.add(y, x), 'relu');
  const shortcut = conv(network, `${name}.downsample.0`, x, { channels: block.outputs(channels), kernel: 1, stride });
  return network.activate(network.add(y, network.batchNorm(`${name}.downsample.1`, shortcut)), 'relu');
}

const plain = bottleneck({ groups: 1, groupWidth: 64 });

export const resnets: readonly ModelDefinition[] = [
  resnet('resnet34', 'ResNet 34', basic, [3, 4, 6, 3], 'b627a593'),
  resnet('resnet50', 'ResNet 50', plain, [3, 4, 6, 3], '0676ba61'),
  resnet('resnet101', 'ResNet 101', plain, [3, 4, 23, 3], '63fe2227'),
  resnet('resnet152', 'ResNet 152', plain, [3, 8, 36, 3], '394f9c45'),
  resnet('resnext50_32x4d', 'ResNeXt 50', bottleneck({ groups: 32, groupWidth: 4 }), [3, 4, 6, 3], '7cdf4587'),
  resnet('resnext101_32x8d', 'ResNeXt 101', bottleneck({ groups: 32, groupWidth: 8 }), [3, 4, 23, 3], '8ba56ff5'),
];
