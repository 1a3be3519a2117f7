import type { DecodedImage } from '../data/image.ts';
import { resizePlanes } from '../data/resize.ts';
import type { Choices } from '../graph/choices.ts';
import { encodeNodePng, nodeDecoder } from '../io/node-png.ts';
import { readRegularFile } from '../io/node-read-image.ts';
import { drawClassActivationMap } from '../models/cam.ts';
import { batchOf } from '../models/images.ts';
import { Inference } from '../models/inference.ts';
import type { Model } from '../models/model.ts';
import type { Mistake } from '../report/run-report.ts';
import { type Prediction, THRESHOLD } from '../train/metrics.ts';

const SHOWN = 8;
/** Longer side of the pictures: a report of eight pairs stays below 2 MB. */
const SIDE = 224;

const isWrong = ({ label, probability }: Prediction): boolean => probability > THRESHOLD !== (label === 1);

/** Indices of the images that are called wrongly with the most confidence, one a study, the most confident first. */
export function confidentMistakes(predictions: readonly Prediction[], count = SHOWN): number[] {
  const confidence = (index: number) => Math.abs((predictions[index]?.probability ?? THRESHOLD) - THRESHOLD);
  const wrong = predictions.flatMap((prediction, index) => (isWrong(prediction) ? [index] : []));
  wrong.sort((one, other) => confidence(other) - confidence(one) || one - other);
  const studies = new Set<string>();
  const isFirst = (study: string) => studies.size < studies.add(study).size;
  return wrong.filter((index) => isFirst(predictions[index]?.study ?? '')).slice(0, count);
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** The image in its own proportions, at most SIDE pixels a side, as planes. */
function reduced(image: DecodedImage) {
  const scale = Math.min(1, SIDE / Math.max(image.width, image.height));
  const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * scale))) as [
    number,
    number,
  ];
  return { width, height, channels: image.channels, planes: resizePlanes(image, height, width) };
}

/** Planes [3 or 1, height, width] as interleaved samples. */
function interleaved(planes: Uint8Array, channels: number): Uint8Array {
  const pixels = planes.length / channels;
  return planes.map((_, at) => planes[(at % channels) * pixels + Math.floor(at / channels)] as number);
}

/** Reads the images again and draws where the network looked; `images` are paths below `directory`, one a prediction. */
export async function drawMistakes(
  model: Model,
  { imageSize, choices }: { imageSize: number; choices: Choices },
  directory: string,
  { images, predictions }: { images: readonly string[]; predictions: readonly Prediction[] },
  signal: AbortSignal,
): Promise<Mistake[]> {
  const chosen = confidentMistakes(predictions);
  if (chosen.length === 0) return [];
  const inference = await Inference.create(model, { batchSize: 1, imageSize, cam: true, choices });
  const mistakes: Mistake[] = [];
  for (const index of chosen) {
    signal.throwIfAborted();
    const [path, prediction] = [images[index] as string, predictions[index] as Prediction];
    const decoded = await nodeDecoder.decode(await readRegularFile(`${directory}/${path}`), path);
    await (await inference.run(batchOf([resizePlanes(decoded, imageSize, imageSize)], imageSize))).value;
    const picture = reduced(decoded);
    const { rgba } = await drawClassActivationMap(inference, 0, picture);
    const { width, height, channels, planes } = picture;
    const rgb = rgba.filter((_, at) => at % 4 !== 3);
    mistakes.push({
      image: path,
      label: prediction.label,
      probability: prediction.probability,
      picture: base64(await encodeNodePng({ width, height, channels, data: interleaved(planes, channels) })),
      overlay: base64(await encodeNodePng({ width, height, channels: 3, data: rgb })),
    });
  }
  await inference.destroy();
  return mistakes;
}
