import type { DecodedImage } from '../data/image.ts';
import { resizeSquare } from '../data/resize.ts';
import { type ClassActivationMap, drawClassActivationMap } from '../models/cam.ts';
import { batchOf } from '../models/images.ts';
import type { Inference } from '../models/inference.ts';
import { sigmoid } from './predict-split.ts';

/** Planes of an interleaved image: [channels, height, width]. */
function planesOf({ width, height, channels, data }: DecodedImage): Uint8Array {
  if (channels === 1) return data;
  const planes = new Uint8Array(data.length);
  const pixels = width * height;
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let c = 0; c < channels; c++) planes[c * pixels + pixel] = data[pixel * channels + c] as number;
  }
  return planes;
}

/** Probability that one image is abnormal, and its class activation map where `wanted` says so. */
export async function predictImage(
  inference: Inference,
  image: DecodedImage,
  wanted: (probability: number) => boolean,
): Promise<{ probability: number; cam: ClassActivationMap | undefined }> {
  const { imageSize } = inference.options;
  const { value } = await inference.run(batchOf([resizeSquare(image, imageSize)], imageSize));
  const probability = sigmoid(new Float32Array(await value)[0] as number);
  if (!wanted(probability)) return { probability, cam: undefined };
  const { width, height, channels } = image;
  const cam = await drawClassActivationMap(inference, 0, { width, height, channels, planes: planesOf(image) });
  return { probability, cam };
}
