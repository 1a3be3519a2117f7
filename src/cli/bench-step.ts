import { figure } from '../base/figures.ts';
import { interleaveSampled } from '../bench/sampler.ts';
import { benchStep, type StepResult } from '../bench/step.ts';
import { findModel } from '../models/index.ts';
import { checkImageSize } from '../models/inference.ts';
import { conditionsOf, writeJson } from './bench-report.ts';
import { choicesFor } from './choices.ts';
import type { Context, Output } from './command.ts';
import type { Options } from './options.ts';
import { makeFoldersOf } from './output-folder.ts';
import { openDevice } from './session.ts';
import { alignColumns } from './text-table.ts';
import { asUsage } from './usage.ts';

const comparison = (training: StepResult, unfused: StepResult): string =>
  `the passes make a training step ${figure(unfused.median_ms / training.median_ms, 2)} times faster and its moved bytes ` +
  `${figure(unfused.moved_bytes / training.moved_bytes, 2)} times fewer`;

/** Time of inference and of a training step of a network, measured in turn. */
export async function run(options: Options<'bench step'>, context: Context): Promise<Output> {
  const { imageSize, batchSize, rounds, noFuse } = options;
  const definition = asUsage(() => findModel(options.model));
  asUsage(() => checkImageSize(definition, imageSize, { training: true }));
  await makeFoldersOf(options.out);
  const { device, adapter } = await openDevice(options.adapter, context, options.precision);
  try {
    const choices = await choicesFor(undefined, adapter, context);
    const measured = { imageSize, batchSize, choices, rounds, without: noFuse, interleave: interleaveSampled };
    const { inference, training, unfused, pipelines } = await benchStep(device, definition, measured);
    const settings = { model: definition.name, image_size: imageSize, batch_size: batchSize, rounds };
    const results = { inference, training, ...(unfused ? { unfused, no_fuse: noFuse } : {}) };
    const json = { conditions: conditionsOf(adapter), ...settings, pipelines, ...results };
    if (options.out) await writeJson(options.out, json);
    const perImage = (ms: number) => figure(ms / batchSize, 2);
    const cells = (name: string, result: StepResult) => [
      name,
      figure(result.ms_per_image, 2),
      `${perImage(result.lower_ms)} to ${perImage(result.upper_ms)}`,
      figure(result.images_per_s),
      figure(result.planned_bytes / 2 ** 20, 0),
      figure(result.moved_bytes / batchSize / 1e6, 0),
    ];
    const header = ['', 'ms per image', 'middle half', 'images/s', 'planned MiB', 'moved MB an image'];
    const rows = [
      header,
      cells('inference', inference),
      cells('training step', training),
      ...(unfused ? [cells('without the passes', unfused)] : []),
    ];
    return {
      json,
      text: [
        `${definition.title}, ${imageSize} px, batch ${batchSize}, medians of ${rounds} rounds of both in turn; ${pipelines} pipelines`,
        ...alignColumns(rows, 1),
        ...(unfused ? [comparison(training, unfused)] : []),
      ].join('\n'),
    };
  } finally {
    device.destroy();
  }
}
