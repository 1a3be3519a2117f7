import type { Tensor } from '../graph/graph.ts';
import type { Activation } from '../kernels/activation.ts';
import type { ModelDefinition } from './definition.ts';
import type { Initialiser } from './initialise.ts';
import type { Network } from './network.ts';

const CONV: Initialiser = { kind: 'kaiming-normal', mode: 'fan-out' };

/** Expansion, output channels, blocks and the first block's stride of each stage (table 2 of the paper). */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

interface ConvOptions {
  readonly channels: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly groups?: number;
  readonly activation: Activation;
}

/** Convolution `conv` and normalisation `norm`. */
function convNorm(
  network: Network,
  { conv, norm }: { conv: string; norm: string },
  x: Tensor,
  { activation, ...options }: ConvOptions,
): Tensor {
  const y = network.conv2d(conv, x, { ...options, padding: (options.kernel - 1) / 2, initialiser: CONV });
  return network.batchNorm(norm, y, { activation });
}

const numbered = (name: string) => ({ conv: `${name}.0`, norm: `${name}.1` });

function invertedResidual(
  network: Network,
  name: string,
  x: Tensor,
  { inputs, channels, stride, expansion }: { inputs: number; channels: number; stride: number; expansion: number },
): Tensor {
  const hidden = inputs * expansion;
  let y = x;
  let index = 0;
  if (expansion !== 1) {
    y = convNorm(network, numbered(`${name}.${index++}`), y, { channels: hidden, kernel: 1, activation: 'relu6' });
  }
  const depthwise = { channels: hidden, kernel: 3, stride, groups: hidden, activation: 'relu6' } as const;
  y = convNorm(network, numbered(`${name}.${index++}`), y, depthwise);
  const projection = { conv: `${name}.${index}`, norm: `${name}.${index + 1}` };
  y = convNorm(network, projection, y, { channels, kernel: 1, activation: 'none' });
  return stride === 1 && inputs === channels ? network.add(x, y) : y;
}

/**
 * "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (Sandler et al. 2018, https://arxiv.org/abs/1801.04381), layer
 * for layer as torchvision's mobilenetv2.py.
 */
export const mobilenetV2: ModelDefinition = {
  name: 'mobilenet_v2',
  title: 'MobileNet V2',
  head: 'classifier.1',
  imagenetWeights: 'mobilenet_v2-b0353104.pth',
  smallestImage: 32,
  build(network, image, outputs) {
    let x = convNorm(network, numbered('features.0'), image, {
      channels: 32,
      kernel: 3,
      stride: 2,
      activation: 'relu6',
    });
    let inputs = 32;
    let index = 1;
    for (const [expansion, channels, blocks, first] of STAGES) {
      for (let block = 0; block < blocks; block++) {
        const stride = block === 0 ? first : 1;
        x = invertedResidual(network, `features.${index++}.conv`, x, { inputs, channels, stride, expansion });
        inputs = channels;
      }
    }
    const maps = convNorm(network, numbered('features.18'), x, { channels: 1280, kernel: 1, activation: 'relu6' });
    const features = network.dropout('classifier.0', network.globalAvgPool2d(maps), 0.2);
    const logits = network.linear('classifier.1', features, outputs, {
      weight: { kind: 'normal', deviation: 0.01 },
      bias: { kind: 'constant', value: 0 },
    });
    return { logits, maps };
  },
};
