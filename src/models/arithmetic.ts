import { elementCount } from '../base/shape.ts';
import { Graph } from '../graph/graph.ts';
import { conv2d } from '../kernels/conv2d/index.ts';
import type { ModelDefinition } from './definition.ts';
import { Network } from './network.ts';

/** Multiply-accumulates of one image in evaluation mode with one output: convolutions and linear layers, as papers count. */
export function multiplyAccumulates(definition: ModelDefinition, imageSize: number): number {
  const graph = new Graph();
  const network = new Network(graph, { training: false });
  const image = network.declarePadded(graph.input('image', [1, imageSize, imageSize, 4]), 3);
  definition.build(network, image, 1);
  let total = 0;
  for (const { op, inputs, outputs } of graph.nodes) {
    const weight = inputs[1];
    const [output] = outputs;
    if (op !== conv2d || !weight || !output) continue;
    // The padded fourth channel of the image is no work that the network asks for.
    const padding = inputs[0] === image ? 3 / 4 : 1;
    const [height = 0, width = 0, channels = 0] = weight.shape;
    total += elementCount(output.shape) * height * width * channels * padding;
  }
  return total;
}
