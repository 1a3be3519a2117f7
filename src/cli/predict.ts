import { mkdir, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { UsageError, UserError } from '../base/errors.ts';
import type { DecodedImage } from '../data/image.ts';
import { resizeSquare } from '../data/resize.ts';
import { nodeFiles } from '../io/node.ts';
import { encodeNodePng, nodeDecoder } from '../io/node-png.ts';
import { drawClassActivationMap } from '../models/cam.ts';
import { batchOf } from '../models/images.ts';
import { Inference } from '../models/inference.ts';
import { THRESHOLD } from '../train/metrics.ts';
import { sigmoid } from '../train/predict-split.ts';
import type { Context, Output } from './command.ts';
import type { Options } from './options.ts';
import { createModel, loadRun, openDevice } from './session.ts';

export interface ImagePrediction {
  readonly image: string;
  readonly probability: number;
  readonly abnormal: boolean;
  /** The overlay that was written. */
  readonly cam: string | null;
}

const isPng = (path: string): boolean => /\.png$/i.test(path) && !basename(path).startsWith('._');

/** Files as they are; of folders, the PNG files in them and below. */
async function expand(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const info = await stat(path).catch(() => undefined);
    if (!info) throw new UserError(`${path} does not exist: give PNG files or folders of them`);
    if (!info.isDirectory()) {
      found.push(path);
      continue;
    }
    const below = (await readdir(path, { recursive: true })).filter(isPng).sort();
    if (below.length === 0) throw new UserError(`${path} holds no PNG files`);
    found.push(...below.map((name) => join(path, name)));
  }
  return found;
}

/** Planes of an interleaved image: [channels, height, width]. */
export function planesOf({ width, height, channels, data }: DecodedImage): Uint8Array {
  if (channels === 1) return data;
  const planes = new Uint8Array(data.length);
  const pixels = width * height;
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let c = 0; c < channels; c++) planes[c * pixels + pixel] = data[pixel * channels + c] as number;
  }
  return planes;
}

/** Probability of one image, and its overlay where `wanted` says so. */
export async function predictImage(
  inference: Inference,
  image: DecodedImage,
  wanted: (probability: number) => boolean,
): Promise<{ probability: number; overlay: Uint8Array | undefined }> {
  const { imageSize } = inference.options;
  const { value } = await inference.run(batchOf([resizeSquare(image, imageSize)], imageSize));
  const probability = sigmoid(new Float32Array(await value)[0] as number);
  if (!wanted(probability)) return { probability, overlay: undefined };
  const { width, height, channels } = image;
  const { rgba } = await drawClassActivationMap(inference, 0, { width, height, channels, planes: planesOf(image) });
  return { probability, overlay: await encodeNodePng({ width, height, channels: 4, data: rgba }) };
}

/** A file name of its own for each image's overlay. */
function overlayNames(images: readonly string[]): string[] {
  const taken = new Set<string>();
  return images.map((image) => {
    const parts = image.replace(/\.[^.]+$/, '').split(/[/\\]+/).filter((part) => part !== '.' && part !== '..' && part);
    for (let count = 1; ; count++) {
      const stem = count <= parts.length ? parts.slice(-count).join('_') : `${parts.join('_')}_${count}`;
      const name = `${stem}.png`;
      if (taken.has(name)) continue;
      taken.add(name);
      return name;
    }
  });
}

/** Says how probably each image is abnormal and, with --cam, draws where. */
export async function run(options: Options<'predict'>, context: Context): Promise<Output> {
  if (options.camAll && !options.cam) throw new UsageError('--cam-all needs --cam DIR, the folder for the overlays');
  const loaded = await loadRun(options.run, options);
  const images = await expand(options.images);
  if (options.cam) {
    await mkdir(options.cam, { recursive: true }).catch((error: Error) => {
      throw new UserError(`--cam ${options.cam}: cannot make the folder: ${error.message}`);
    });
  }
  const { device } = await openDevice(options.adapter, context);
  const model = createModel(device, loaded, context);
  const inference = await Inference.create(model, { batchSize: 1, imageSize: loaded.imageSize });
  const names = overlayNames(images);
  const predictions: ImagePrediction[] = [];
  const progress = context.progress('reading', 'images');
  let failed = 0;
  for (const [index, image] of images.entries()) {
    try {
      const decoded = await nodeDecoder.decode(await nodeFiles.readBytes(image), image);
      const wanted = (probability: number) => !!options.cam && (options.camAll || probability > THRESHOLD);
      const { probability, overlay } = await predictImage(inference, decoded, wanted);
      const cam = overlay && options.cam ? join(options.cam, names[index] as string) : null;
      if (cam && overlay) await nodeFiles.writeAtomic(cam, overlay);
      predictions.push({ image, probability, abnormal: probability > THRESHOLD, cam });
    } catch (error) {
      if (!(error instanceof UserError) || images.length === 1) throw error;
      failed++;
      context.note(`skipped: ${error.message}`);
    }
    progress.update(index + 1, images.length);
  }
  progress.end();
  device.destroy();
  if (predictions.length === 0) throw new UserError(`none of the ${images.length} images could be read`);
  if (failed > 0) context.note(`${failed} of ${images.length} images skipped`);
  return { json: { predictions }, text: predictions.map(line).join('\n') };
}

function line({ image, probability, abnormal, cam }: ImagePrediction): string {
  const verdict = abnormal ? 'abnormal' : 'normal  ';
  return `${probability.toFixed(3)}  ${verdict}  ${image}${cam ? `  -> ${cam}` : ''}`;
}
