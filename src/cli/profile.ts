import { readFile } from 'node:fs/promises';
import { figure, percent } from '../base/figures.ts';
import type { Run } from '../bench/interleave.ts';
import { type Profile, profileProgram, type Total } from '../bench/profile.ts';
import { figuresOf, type PeakFigures } from '../bench/roofline.ts';
import { rooflinePage } from '../bench/roofline-page.ts';
import { benchBatch, LEARNING_RATE, timed } from '../bench/step.ts';
import { traceOf } from '../bench/trace-events.ts';
import type { Device } from '../gpu/device.ts';
import { measurePeaks } from '../gpu/peaks.ts';
import type { Choices } from '../graph/choices.ts';
import type { Tensor } from '../graph/graph.ts';
import type { Program } from '../graph/program.ts';
import { nodeFiles } from '../io/node.ts';
import type { ModelDefinition } from '../models/definition.ts';
import { findModel } from '../models/index.ts';
import { checkImageSize, Inference } from '../models/inference.ts';
import { Model } from '../models/model.ts';
import { AdamState } from '../train/adam-state.ts';
import { TrainingStep } from '../train/step.ts';
import { type Conditions, conditionsOf, writeJson } from './bench-report.ts';
import { choicesFor } from './choices.ts';
import type { Context, Output } from './command.ts';
import type { Options } from './options.ts';
import { makeFoldersOf } from './output-folder.ts';
import { openDevice } from './session.ts';
import { alignColumns } from './text-table.ts';
import { asUsage } from './usage.ts';

type ProfileOptions = Options<'profile'>;

interface Profiled {
  readonly program: Program;
  /** What the forward pass ends in. */
  readonly end: Tensor;
  /** One run as it is, without timers. */
  readonly untimed: Run;
}

/** A training step or an inference, with its first batch written. */
async function prepare(
  device: Device,
  definition: ModelDefinition,
  options: ProfileOptions,
  choices: Choices,
): Promise<Profiled> {
  const { imageSize, batchSize } = options;
  const model = new Model(device, definition);
  const sizes = { imageSize, batchSize, channels: 1, choices, without: options.noFuse } as const;
  const batch = benchBatch(sizes);
  if (options.inference) {
    const inference = await Inference.create(model, sizes);
    const untimed = timed(() => inference.run(batch));
    return { program: inference.program, end: inference.logits, untimed };
  }
  const step = await TrainingStep.create(model, new AdamState(model), sizes);
  const untimed = timed(() => step.run(batch, LEARNING_RATE));
  return { program: step.program, end: step.loss, untimed };
}

const totalCells = (total: Total): string[] => [
  String(total.launches),
  figure(total.ms, 2),
  percent(total.share_of_time),
  figure(total.gflops),
  figure(total.gb_per_s),
  percent(total.share_of_peak),
  total.limit ?? '-',
];
const TOTAL_HEADER = ['launches', 'ms', 'of the time', 'GFLOP/s', 'GB/s', 'of the peak', 'limit'];

function tables({ kernels, layers, total }: Profile, top: number): string[] {
  const byKernel = [
    ['kernel', ...TOTAL_HEADER],
    ...kernels.map((one) => [one.kernel, ...totalCells(one)]),
    ['all', ...totalCells(total)],
  ];
  const byLayer = [
    ['op', 'layer', 'sizes', ...TOTAL_HEADER],
    ...layers.slice(0, top).map((one) => [one.op, one.layer, one.sizes, ...totalCells(one)]),
  ];
  return [
    ...alignColumns(byKernel, 1),
    '',
    `the ${Math.min(top, layers.length)} slowest of ${layers.length} ops`,
    ...alignColumns(byLayer, 3),
  ];
}

function notesOf({ total }: Profile, peaks: PeakFigures, untimed: number, clock: string): string[] {
  const half = peaks.gflops_f16 === null ? '' : `, ${figure(peaks.gflops_f16, 0)} GFLOP/s in f16`;
  return [
    `measured peaks of this adapter: ${figure(peaks.gflops_f32, 0)} GFLOP/s in f32${half}, ${figure(peaks.gb_per_s)} GB/s`,
    `${clock}${clock === 'wall clock' ? ' (the adapter has no timestamp queries, so a submit is counted with each launch)' : ''}: ` +
      `the launches take ${figure(total.ms, 2)} ms in all; a run without timers takes ${figure(1000 * untimed, 2)} ms by the ` +
      'wall clock (a timer keeps a launch from overlapping the next)',
    'bytes count every operand of an op once; an op of several launches has its cost in the first',
  ];
}

/** The page's script and its plotting library, as texts. */
async function pageParts() {
  const read = (path: string) => readFile(new URL(import.meta.resolve(path)), 'utf8');
  const [library, style, client] = await Promise.all([
    read('uplot/dist/uPlot.iife.min.js'),
    read('uplot/dist/uPlot.min.css'),
    read('../bench/roofline-client.js'),
  ]);
  return { library, style, client };
}

async function writeFiles(
  options: ProfileOptions,
  profile: Profile,
  { title, notes, peaks, conditions }: { title: string; notes: string[]; peaks: PeakFigures; conditions: Conditions },
): Promise<void> {
  if (options.trace) {
    const { adapter, driver, date } = conditions;
    await writeJson(options.trace, traceOf(profile.launches, title, { adapter, driver, date }));
  }
  if (options.html) {
    const page = rooflinePage(profile, peaks, { title, notes: [conditions.driver, ...notes] }, await pageParts());
    await nodeFiles.writeAtomic(options.html, page);
  }
}

/** Where the time of a training step or of an inference goes, launch by launch, beside what the adapter can do at most. */
export async function run(options: ProfileOptions, context: Context): Promise<Output> {
  const definition = asUsage(() => findModel(options.model));
  asUsage(() => checkImageSize(definition, options.imageSize, { training: !options.inference }));
  await makeFoldersOf(options.trace, options.html);
  const { device, adapter } = await openDevice(options.adapter, context, options.precision);
  try {
    const conditions = conditionsOf(adapter);
    const measured = await measurePeaks(device);
    const peaks = figuresOf(measured);
    const { program, ...prepared } = await prepare(
      device,
      definition,
      options,
      await choicesFor(undefined, adapter, context),
    );
    await prepared.untimed();
    const settingsOfRuns = { ...prepared, rounds: options.rounds, peaks: measured };
    const { profile, untimed } = await profileProgram(program, settingsOfRuns);
    const what = options.inference ? 'inference' : 'training step';
    const title = `${definition.title}, ${what}, ${options.imageSize} px, batch ${options.batchSize}`;
    const notes = notesOf(profile, peaks, untimed, program.clock);
    await writeFiles(options, profile, { title, notes, peaks, conditions });
    const { kernels, layers, total, launches } = profile;
    const sizes = { model: definition.name, image_size: options.imageSize, batch_size: options.batchSize };
    const settings = { ...sizes, inference: options.inference, rounds: options.rounds, clock: program.clock };
    return {
      json: { conditions, ...settings, peaks, untimed_ms: 1000 * untimed, total, kernels, layers, launches },
      text: [title, ...notes, '', ...tables(profile, options.top)].join('\n'),
    };
  } finally {
    device.destroy();
  }
}
