import { UserError } from '../../../src/base/errors.ts';
import type { ModelDefinition } from '../../../src/models/definition.ts';
import { findModel, models } from '../../../src/models/index.ts';
import { fitsWeights } from '../../../src/models/model.ts';
import type { WeightsFile } from '../../../src/models/weights-file.ts';

/** What the paper trains at: for files that do not say. */
const DEFAULT_SIZE = 320;

/** The network and image size that a weights file was trained for, as it says, or as its tensors do. */
export function findNetwork({ file, tensors, model, imageSize = DEFAULT_SIZE }: WeightsFile): {
  definition: ModelDefinition;
  imageSize: number;
} {
  const definition = model ? findModel(model) : models.find((one) => fitsWeights(one, tensors));
  if (definition) return { definition, imageSize };
  throw new UserError(`${file}: its ${tensors.size} tensors are those of none of the ${models.length} networks`);
}
