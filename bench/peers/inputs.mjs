// What every peer is given, as files in a temporary folder: images, weights, and the network as ONNX.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../../dist/base/random.js';
import { packageVersion } from '../../dist/cli/version.js';
import { exportOnnx, findModel, readWeights } from '../../dist/index.js';
import { normalisedByte } from '../../dist/kernels/augment.reference.js';
import { convertWeights } from '../../dist/weights/inspect.js';

const MODEL = 'densenet121';

/** Writes the inputs; returns the peers' configuration, and a function that removes the files. */
export function prepareInputs({ imageSize, batchSize, weights, adapter }) {
  const folder = mkdtempSync(join(tmpdir(), 'murad-peers-'));
  const full = convertWeights(weights, readFileSync(weights), 'F32');
  const tensors = readWeights(weights, full);
  writeFileSync(join(folder, 'weights.safetensors'), full);
  writeFileSync(join(folder, 'network.onnx'), exportOnnx(findModel(MODEL), weights, tensors, { imageSize }));
  const random = new Random(0);
  const area = imageSize ** 2;
  const bytes = new Uint8Array(batchSize * area).map(() => random.uniform(0, 256));
  // Grey: the three planes differ by their normalisation alone.
  const images = new Float32Array(batchSize * 3 * area).map((_, index) => {
    const image = Math.floor(index / (3 * area));
    return normalisedByte(bytes[image * area + (index % area)], Math.floor(index / area) % 3);
  });
  writeFileSync(join(folder, 'bytes.u8'), bytes);
  writeFileSync(join(folder, 'images.f32'), images);
  return {
    config: {
      folder,
      model: MODEL,
      version: packageVersion(),
      imageSize,
      batchSize,
      adapter,
      labels: Array.from({ length: batchSize }, (_, index) => index % 2),
      learningRate: 1e-4,
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
