// DenseNet-121 from tfjs-layers, layer for layer as torchvision's, with weights under torchvision's names.
import * as tf from '@tensorflow/tfjs-core';
import { input, layers, model as layersModel } from '@tensorflow/tfjs-layers';
import { convToDevice } from '../../dist/weights/layout.js';

const GROWTH = 32;
const BLOCKS = [6, 12, 24, 16];

/** The network on images [N,S,S,3] -> logits [N,1], with the weights of a state_dict. */
export function buildDenseNet121(imageSize, tensors) {
  const given = [];
  const values = (key) => tensors.get(key).data;
  /** A layer that takes over weights once the model is built. */
  const weighted = (layer, ...weights) => {
    given.push([layer, weights]);
    return layer;
  };
  const conv = (name, x, filters, kernelSize, options = {}) => {
    const { shape, data } = tensors.get(`${name}.weight`);
    const [o, i, h, w] = shape;
    const layer = layers.conv2d({ filters, kernelSize, useBias: false, ...options });
    return weighted(layer, [convToDevice(data, shape), [h, w, i, o]]).apply(x);
  };
  const normRelu = (name, x) => {
    const rows = ['weight', 'bias', 'running_mean', 'running_var'].map((row) => values(`${name}.${row}`));
    const layer = layers.batchNormalization({ epsilon: 1e-5, momentum: 0.9 });
    const y = weighted(layer, ...rows.map((row) => [row, [row.length]])).apply(x);
    return layers.reLU().apply(y);
  };
  const padded = (x, padding) => layers.zeroPadding2d({ padding }).apply(x);

  const image = input({ shape: [imageSize, imageSize, 3] });
  let channels = 64;
  let x = conv('features.conv0', padded(image, 3), channels, 7, { strides: 2 });
  // Zeros never win the maximum of what a ReLU gives.
  x = layers.maxPooling2d({ poolSize: 3, strides: 2 }).apply(padded(normRelu('features.norm0', x), 1));
  BLOCKS.forEach((count, index) => {
    for (let number = 1; number <= count; number++) {
      const name = `features.denseblock${index + 1}.denselayer${number}`;
      let y = conv(`${name}.conv1`, normRelu(`${name}.norm1`, x), 4 * GROWTH, 1);
      y = conv(`${name}.conv2`, normRelu(`${name}.norm2`, y), GROWTH, 3, { padding: 'same' });
      x = layers.concatenate({ axis: 3 }).apply([x, y]);
      channels += GROWTH;
    }
    if (index === BLOCKS.length - 1) return;
    const name = `features.transition${index + 1}`;
    channels /= 2;
    x = conv(`${name}.conv`, normRelu(`${name}.norm`, x), channels, 1);
    x = layers.averagePooling2d({ poolSize: 2, strides: 2 }).apply(x);
  });
  x = layers.globalAveragePooling2d({}).apply(normRelu('features.norm5', x));
  const bias = values('classifier.bias');
  const weight = convToDevice(values('classifier.weight'), [bias.length, channels, 1, 1]);
  const head = layers.dense({ units: bias.length });
  const logits = weighted(head, [weight, [channels, bias.length]], [bias, [bias.length]]).apply(x);
  const network = layersModel({ inputs: image, outputs: logits });
  for (const [layer, weights] of given) layer.setWeights(weights.map(([data, shape]) => tf.tensor(data, shape)));
  return network;
}
