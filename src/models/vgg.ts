import { required } from '../base/errors.ts';
import type { Tensor } from '../graph/graph.ts';
import type { ModelDefinition } from './definition.ts';
import type { Initialiser } from './initialise.ts';
import type { Network } from './network.ts';

const CONV: Initialiser = { kind: 'kaiming-normal', mode: 'fan-out' };
const ZERO: Initialiser = { kind: 'constant', value: 0 };
const LINEAR = { weight: { kind: 'normal', deviation: 0.01 }, bias: ZERO } as const;

/** Channels of the five stages; a max pool follows each. */
const STAGES = [64, 128, 256, 512, 512];

/** Width and height of the maps that the classifier takes. */
const CLASSIFIER_MAPS = 7;

/**
 * "Very Deep Convolutional Networks for Large-Scale Image Recognition" (Simonyan & Zisserman 2015,
 * https://arxiv.org/abs/1409.1556), layer for layer as torchvision's vgg.py. `layers`: convolutions of each stage.
 */
function vgg(
  name: string,
  layers: readonly number[],
  { norm, hash }: { norm: boolean; hash: string },
): ModelDefinition {
  return {
    name,
    title: name.replace(/^vgg(\d+)/, 'VGG $1').replace('_bn', ' with BN'),
    head: 'classifier.6',
    imagenetWeights: `${name}-${hash}.pth`,
    headAveragesMaps: false,
    smallestImage: 32,
    build(network, image, outputs) {
      let x = image;
      let maps: Tensor | undefined;
      let index = 0;
      STAGES.forEach((channels, stage) => {
        for (let layer = 0; layer < (layers[stage] as number); layer++) {
          const conv = `features.${index}`;
          x = network.conv2d(conv, x, { channels, kernel: 3, padding: 1, bias: ZERO, initialiser: CONV });
          x = norm
            ? network.batchNorm(`features.${index + 1}`, x, { activation: 'relu' })
            : network.activate(x, 'relu');
          index += norm ? 3 : 2;
        }
        maps = x;
        x = network.maxPool2d(`features.${index++}`, x, { kernel: 2 });
      });
      return { logits: classifier(network, x, outputs), maps: required(maps, 'maps') };
    },
  };
}

function classifier(network: Network, maps: Tensor, outputs: number): Tensor {
  let x = network.adaptiveAvgPool2d('avgpool', maps, CLASSIFIER_MAPS);
  x = network.activate(network.linear('classifier.0', x, 4096, LINEAR), 'relu');
  x = network.dropout('classifier.2', x, 0.5);
  x = network.activate(network.linear('classifier.3', x, 4096, LINEAR), 'relu');
  x = network.dropout('classifier.5', x, 0.5);
  return network.linear('classifier.6', x, outputs, LINEAR);
}

const depths = {
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
} as const;

export const vggs: readonly ModelDefinition[] = [
  vgg('vgg16', depths[16], { norm: false, hash: '397923af' }),
  vgg('vgg19', depths[19], { norm: false, hash: 'dcbb9e9d' }),
  vgg('vgg11_bn', depths[11], { norm: true, hash: '6002323d' }),
  vgg('vgg13_bn', depths[13], { norm: true, hash: 'abd245e5' }),
  vgg('vgg16_bn', depths[16], { norm: true, hash: '6c64b313' }),
  vgg('vgg19_bn', depths[19], { norm: true, hash: 'c79401a0' }),
];
