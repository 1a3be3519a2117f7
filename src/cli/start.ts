import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { nodeFiles } from '../io/node.ts';
import type { Context, Output } from './command.ts';
import { run as evaluate } from './evaluate.ts';
import { defaultsOf, type Options } from './options.ts';
import { freeRunPath } from './output-folder.ts';
import { drawPhantom } from './phantom.ts';
import { run as predict } from './predict.ts';
import { run as train } from './train.ts';

/** Weights trained from scratch on a phantom set of another seed, one file a size; docs/results.md shows the runs. */
const bundled = (size: number): string =>
  fileURLToPath(new URL(`../../weights/densenet121-phantom-${size}px.safetensors`, import.meta.url));
const PHANTOM_FOLDER = 'data/phantom-start';
const PHANTOM = { studies: 204, validFraction: 0.78, size: 192, seed: 0 };
/** Training and measuring happen at a size that a CPU can afford, reading at one where the last maps are 5 x 5. */
const TRAINING_SIZE = 64;
const READING_SIZE = 160;
const MODEL = 'densenet121';
const OVERLAYS = 8;

/** The first images of abnormal validation studies, region by region. */
async function abnormalImages(count: number): Promise<string[]> {
  const root = `${PHANTOM_FOLDER}/valid`;
  const files = (await readdir(root, { recursive: true }))
    .filter((name) => /positive[/\\]image1\.png$/.test(name))
    .sort();
  const regions = [...new Set(files.map((name) => name.split(/[/\\]/)[0]))];
  const ofRegion = regions.map((region) => files.filter((name) => name.startsWith(`${region}`)));
  const rounds = Math.max(...ofRegion.map((names) => names.length));
  const mixed = Array.from({ length: rounds }, (_, round) =>
    ofRegion.flatMap((names) => names.slice(round, round + 1)),
  );
  return mixed
    .flat()
    .slice(0, count)
    .map((name) => `${root}/${name}`);
}

/** A first look at everything: makes a phantom set, measures, trains, measures again and shows where the network looks. */
export async function run({ adapter, json, verbose }: Options<'start'>, context: Context): Promise<Output> {
  const common = { adapter, precision: 'f32' as const, json, verbose, cache: undefined };
  const data = PHANTOM_FOLDER;
  // Every step below heeds it.
  context.interruption();
  const out = await freeRunPath('start');
  context.note(
    `1/5 a phantom data set of ${PHANTOM.studies} studies in ${data} (MURA itself may not be redistributed)`,
  );
  if (!(await nodeFiles.exists(data))) await drawPhantom(data, PHANTOM, context);
  const measured = { data, split: 'valid' as const, model: MODEL, imageSize: TRAINING_SIZE, ...common };
  context.note(
    `2/5 the bundled weights at ${TRAINING_SIZE} px, before training; they come from a phantom set of another seed`,
  );
  const before = await evaluate({ run: bundled(TRAINING_SIZE), ...measured }, context);
  context.note(`3/5 training ${MODEL} from these weights, as the paper starts from ImageNet's`);
  await train(
    {
      ...defaultsOf('train'),
      data,
      model: MODEL,
      imageSize: TRAINING_SIZE,
      epochs: 1,
      batchSize: 16,
      pretrained: bundled(TRAINING_SIZE),
      out,
      maxRotation: 10,
      ...common,
    },
    context,
  );
  context.note('4/5 the same measure after training');
  const after = await evaluate({ run: out, ...measured, model: undefined, imageSize: undefined }, context);
  context.note(`5/5 reading ${OVERLAYS} abnormal images at ${READING_SIZE} px with the bundled weights`);
  const images = await abnormalImages(OVERLAYS);
  const cam = `${out}/cam`;
  const reading = { run: bundled(READING_SIZE), images, cam, camAll: true, model: MODEL, imageSize: READING_SIZE };
  const read = await predict({ ...reading, ...common }, context);
  const text = [
    `Before training: ${before.text}`,
    '',
    `After training: ${after.text}`,
    '',
    'Probability of an abnormality, and where the network looks (class activation maps):',
    read.text,
    '',
    `The run is in ${out} (open its report.html), the overlays are in ${cam}. Next: node train.js --help, npx murad --help.`,
  ];
  return { json: { run: out, before: before.json, after: after.json, ...read.json }, text: text.join('\n') };
}
