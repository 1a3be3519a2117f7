import { multiplyAccumulates } from '../models/arithmetic.ts';
import { smallestTrainingImage } from '../models/definition.ts';
import { models } from '../models/index.ts';
import { checkImageSize } from '../models/inference.ts';
import { IMAGENET_CLASSES, parameterCount, stateSpecs } from '../models/model.ts';
import { planTrainingMemory } from '../train/memory.ts';
import type { Context, Output } from './command.ts';
import type { Options } from './options.ts';
import { alignColumns } from './text-table.ts';
import { asUsage } from './usage.ts';

/** The networks with their size, arithmetic and the memory that training them takes. */
export async function run({ imageSize, batchSize, precision }: Options<'models'>, _context: Context): Promise<Output> {
  const [least] = [...models].sort((a, b) => a.smallestImage - b.smallestImage);
  if (least) asUsage(() => checkImageSize(least, imageSize));
  const rows = models.map((definition) => {
    // The figures of a network that cannot take images of this size, or cannot be trained on them, are null.
    const fits = definition.smallestImage <= imageSize;
    const trains = smallestTrainingImage(definition) <= imageSize;
    const memory = trains ? planTrainingMemory(definition, { batchSize, imageSize, precision }) : undefined;
    return {
      name: definition.name,
      parameters: parameterCount(stateSpecs(definition, IMAGENET_CLASSES)),
      parameters_one_output: parameterCount(stateSpecs(definition, 1)),
      gmac: fits ? Number((multiplyAccumulates(definition, imageSize) / 1e9).toFixed(3)) : null,
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
  const title = `at ${imageSize} px; memory to train a batch of ${batchSize} in ${precision} (weights: parameters, gradients, Adam's moments)`;
  return { json: { models: rows }, text: [title, ...alignColumns([header, ...cells], 1)].join('\n') };
}
