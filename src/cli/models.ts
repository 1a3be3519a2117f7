import { elementCount } from '../base/shape.ts';
import { Graph } from '../graph/graph.ts';
import type { ModelDefinition } from '../models/definition.ts';
import { models } from '../models/index.ts';
import { checkImageSize } from '../models/inference.ts';
import { IMAGENET_CLASSES, parameterCount, stateSpecs } from '../models/model.ts';
import { Network } from '../models/network.ts';
import { planTrainingMemory } from '../train/memory.ts';
import type { Context, Output } from './command.ts';
import type { Options } from './options.ts';
import { alignColumns } from './text-table.ts';
import { asUsage } from './usage.ts';

/** Multiply-accumulates of one image in evaluation mode, in 10^9: convolutions and linear layers, as papers count. */
function gigaMultiplyAccumulates(definition: ModelDefinition, imageSize: number): number {
  const graph = new Graph();
  const network = new Network(graph, { training: false });
  const image = network.declarePadded(graph.input('image', [1, imageSize, imageSize, 4]), 3);
  definition.build(network, image, 1);
  let total = 0;
  for (const { op, inputs, outputs } of graph.nodes) {
    const weight = inputs[1];
    const [output] = outputs;
    if (op.name !== 'conv2d' || !weight || !output) continue;
    // The padded fourth channel of the image is no work that the network asks for.
    const padding = inputs[0] === image ? 3 / 4 : 1;
    const [height = 0, width = 0, channels = 0] = weight.shape;
    total += elementCount(output.shape) * height * width * channels * padding;
  }
  return total / 1e9;
}

/** The networks with their size, arithmetic and the memory that training them takes. */
export async function run({ imageSize, batchSize }: Options<'models'>, _context: Context): Promise<Output> {
  const [least] = [...models].sort((a, b) => a.smallestImage - b.smallestImage);
  if (least) asUsage(() => checkImageSize(least, imageSize));
  const rows = models.map((definition) => {
    // The figures of a network that cannot take images of this size are null.
    const fits = definition.smallestImage <= imageSize;
    const memory = fits ? planTrainingMemory(definition, { batchSize, imageSize }) : undefined;
    return {
      name: definition.name,
      parameters: parameterCount(stateSpecs(definition, IMAGENET_CLASSES)),
      parameters_one_output: parameterCount(stateSpecs(definition, 1)),
      gmac: fits ? Number(gigaMultiplyAccumulates(definition, imageSize).toFixed(3)) : null,
      activation_bytes: memory?.activations ?? null,
      state_bytes: memory?.state ?? null,
    };
  });
  const mebibytes = (bytes: number | null) => (bytes === null ? '-' : (bytes / 2 ** 20).toFixed(0));
  const header = ['network', 'parameters', 'one output', 'GMAC', 'activations MiB', 'weights MiB'];
  const cells = rows.map((row) => [
    row.name,
    row.parameters.toLocaleString('en'),
    row.parameters_one_output.toLocaleString('en'),
    row.gmac?.toFixed(3) ?? '-',
    mebibytes(row.activation_bytes),
    mebibytes(row.state_bytes),
  ]);
  const title = `at ${imageSize} px; memory to train a batch of ${batchSize} (weights: parameters, gradients, Adam's moments)`;
  return { json: { models: rows }, text: [title, ...alignColumns([header, ...cells], 1)].join('\n') };
}
