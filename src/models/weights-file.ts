import { NORMALISATIONS, type Normalisation } from '../kernels/augment.ts';
import { readMetadata, readWeights, type StateDict } from '../weights/state-dict.ts';

/** A weights file, and what it says of itself where `train` wrote it. */
export interface WeightsFile {
  readonly file: string;
  readonly tensors: StateDict;
  readonly model: string | undefined;
  readonly imageSize: number | undefined;
  readonly normalisation: Normalisation | undefined;
}

/** Reads the bytes of a .safetensors or .pth file; `file` is for messages. Throws a UserError. */
export function parseWeightsFile(file: string, bytes: Uint8Array): WeightsFile {
  const { model, image_size: size, normalisation } = readMetadata(file, bytes);
  return {
    file,
    tensors: readWeights(file, bytes),
    model,
    imageSize: Number(size) || undefined,
    normalisation: normalisation && normalisation in NORMALISATIONS ? (normalisation as Normalisation) : undefined,
  };
}
