import { join, resolve } from 'node:path';
import { UsageError, UserError } from '../base/errors.ts';
import { elementCount } from '../base/shape.ts';
import type { DecodedImage } from '../data/image.ts';
import { nodeFiles } from '../io/node.ts';
import { encodeNodePng, nodeDecoder } from '../io/node-png.ts';
import { readRegularFile } from '../io/node-read-image.ts';
import { Inference } from '../models/inference.ts';
import { THRESHOLD } from '../train/metrics.ts';
import { predictImage } from '../train/predict-image.ts';
import { choicesFor, tellMisfits } from './choices.ts';
import type { Context, Output } from './command.ts';
import { findImages, overlayNames } from './image-files.ts';
import { createModel, loadRun } from './loaded-run.ts';
import type { Options } from './options.ts';
import { makeOutputFolder } from './output-folder.ts';
import { openDevice } from './session.ts';

export interface ImagePrediction {
  readonly image: string;
  readonly probability: number;
  readonly abnormal: boolean;
  /** The overlay that was written. */
  readonly cam: string | null;
}

/** Where the overlay of each image goes. */
async function overlayFiles(cam: string, images: readonly string[]): Promise<string[]> {
  const files = overlayNames(images).map((name) => join(cam, name));
  const sources = new Set(images.map((image) => resolve(image)));
  const hit = files.find((file) => sources.has(resolve(file)));
  if (hit) throw new UserError(`--cam ${cam}: the overlay would overwrite the image ${hit}; name another folder`);
  await makeOutputFolder(cam);
  return files;
}

/** Says how probably each image is abnormal and, with --cam, draws where. */
export async function run(options: Options<'predict'>, context: Context): Promise<Output> {
  const { cam, camAll } = options;
  if (camAll && !cam) throw new UsageError('--cam-all needs --cam DIR, the folder for the overlays');
  const signal = context.interruption();
  const loaded = await loadRun(options.run, options);
  const images = await findImages(options.images);
  const files = cam ? await overlayFiles(cam, images) : undefined;
  const { device, adapter } = await openDevice(options.adapter, context, loaded.precision);
  const model = createModel(device, loaded, context);
  const inference = await Inference.create(model, {
    batchSize: 1,
    imageSize: loaded.imageSize,
    cam: files !== undefined,
    choices: await choicesFor(loaded.folder, adapter, context),
  });
  tellMisfits([inference.program.plan], context);
  if (cam && elementCount(inference.maps.tensor.shape.slice(1, 3)) === 1) {
    context.note(
      `at ${loaded.imageSize} px the class activation maps have one point: overlays show nothing; give a larger --image-size`,
    );
  }
  if (cam && inference.mapWeights) {
    context.note(
      `${loaded.definition.name}'s head does not weigh its maps: overlays are Grad-CAM, from the logit's gradient`,
    );
  }
  const predictions: ImagePrediction[] = [];
  const progress = context.progress('reading', 'images');
  try {
    for (const [index, image] of images.entries()) {
      const decoded = await decode(image, images.length > 1 ? context : undefined);
      if (decoded) {
        const wanted = (probability: number) => files !== undefined && (camAll || probability > THRESHOLD);
        const { probability, cam: map } = await predictImage(inference, decoded, wanted);
        const file = map && files?.[index];
        if (file) {
          const { width, height } = decoded;
          await nodeFiles.writeAtomic(file, await encodeNodePng({ width, height, channels: 4, data: map.rgba }));
        }
        predictions.push({ image, probability, abnormal: probability > THRESHOLD, cam: file ?? null });
      }
      signal.throwIfAborted();
      progress.update(index + 1, images.length);
    }
  } finally {
    progress.end();
    device.destroy();
  }
  if (predictions.length === 0) throw new UserError(`none of the ${images.length} images can be read`);
  const skipped = images.length - predictions.length;
  if (skipped > 0) context.note(`${skipped} of ${images.length} images skipped`);
  return { json: { predictions }, text: predictions.map(line).join('\n') };
}

/** Reads an image; where others are left, one that cannot be read is told to `others` and passed over. */
async function decode(path: string, others: Context | undefined): Promise<DecodedImage | undefined> {
  try {
    return await nodeDecoder.decode(await readRegularFile(path), path);
  } catch (error) {
    if (!(error instanceof UserError) || !others) throw error;
    others.note(`skipped: ${error.message}`);
    return undefined;
  }
}

function line({ image, probability, abnormal, cam }: ImagePrediction): string {
  const verdict = abnormal ? 'abnormal' : 'normal  ';
  return `${probability.toFixed(3)}  ${verdict}  ${image}${cam ? `  -> ${cam}` : ''}`;
}
