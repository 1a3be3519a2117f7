import { UsageError, UserError } from '../base/errors.ts';
import { figure, percent } from '../base/figures.ts';
import { type Change, type Comparison, compareKernels } from '../bench/compare.ts';
import {
  benchCase,
  type KernelBenchOptions,
  type KernelCase,
  type KernelResult,
  kernelCases,
} from '../bench/kernels.ts';
import { naiveVariants, type Speedup, speedups } from '../bench/naive.ts';
import { figuresOf, type PeakFigures } from '../bench/roofline.ts';
import { interleaveSampled } from '../bench/sampler.ts';
import type { Device } from '../gpu/device.ts';
import { measurePeaks } from '../gpu/peaks.ts';
import { passNames } from '../graph/passes/index.ts';
import { nodeFiles } from '../io/node.ts';
import { type ModelDefinition, smallestTrainingImage } from '../models/definition.ts';
import { findModel, models } from '../models/index.ts';
import { type Conditions, conditionsOf, writeJson } from './bench-report.ts';
import { choicesFor } from './choices.ts';
import type { Context, Output } from './command.ts';
import type { Options } from './options.ts';
import { makeFoldersOf } from './output-folder.ts';
import { openDevice } from './session.ts';
import { alignColumns } from './text-table.ts';
import { asUsage } from './usage.ts';

const isGrouped = (attributes: unknown): boolean => ((attributes as { groups?: number }).groups ?? 1) > 1;

type KernelOptions = Options<'bench kernels'>;

/** What `--out` writes and `--against` reads. */
interface KernelReport {
  readonly conditions: Conditions;
  readonly image_size: number;
  readonly batch_size: number;
  readonly rounds: number;
  readonly peaks: PeakFigures;
  readonly kernels: readonly KernelResult[];
  readonly naive?: readonly Speedup[];
}

/** The networks that `--models` names and that take images of this size. */
function chosenModels(given: string, imageSize: number, context: Context): readonly ModelDefinition[] {
  const chosen = given === 'all' ? models : given.split(',').map((name) => asUsage(() => findModel(name.trim())));
  const fitting = chosen.filter((one) => smallestTrainingImage(one) <= imageSize);
  for (const one of chosen.filter((definition) => !fitting.includes(definition))) {
    context.note(`${one.name} left out: it is trained on images of ${smallestTrainingImage(one)} pixels and more`);
  }
  if (fitting.length === 0)
    throw new UsageError(`no network of --models ${given} is trained on images of ${imageSize} pixels`);
  return fitting;
}

async function readReport(file: string): Promise<KernelReport> {
  const text = await nodeFiles.readText(file);
  try {
    const report = JSON.parse(text) as Partial<KernelReport>;
    if (Array.isArray(report.kernels) && report.conditions) return report as KernelReport;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new UserError(`${file} is no result of murad bench kernels: give a file that --out wrote`);
}

async function benchAll(
  device: Device,
  cases: readonly KernelCase[],
  options: KernelBenchOptions,
  context: Context,
): Promise<KernelResult[]> {
  const progress = context.progress('timing', 'sizes');
  const signal = context.interruption();
  const results: KernelResult[] = [];
  try {
    for (const [index, one] of cases.entries()) {
      signal.throwIfAborted();
      try {
        results.push(...(await benchCase(device, one, options)));
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        context.note(`${one.name} left out: ${error.message}`);
      }
      progress.update(index + 1, cases.length);
    }
  } finally {
    progress.end();
  }
  return results;
}

function tableOf(results: readonly KernelResult[]): string[] {
  const header = ['size', 'variant', 'ms', 'middle half', 'GFLOP/s', 'GB/s', 'of the peak', 'limit'];
  const rows = results.map((result) => [
    result.name,
    result.used ? `${result.variant} *` : result.variant,
    figure(result.median_ms, 3),
    result.runs > 1 ? `${figure(result.lower_ms, 3)} to ${figure(result.upper_ms, 3)}` : 'one run',
    figure(result.gflops),
    figure(result.gb_per_s),
    percent(result.share_of_peak),
    result.limit ?? '-',
  ]);
  return [...alignColumns([header, ...rows], 2), '* the variant that a plan takes'];
}

function changeLines({ slower, faster, unchanged, added, missing }: Comparison, file: string): string[] {
  const rows = (changes: readonly Change[]) =>
    alignColumns(
      changes.map(({ name, variant, before_ms, after_ms, ratio }) => {
        return [`  ${name}`, variant, `${figure(before_ms, 3)} -> ${figure(after_ms, 3)} ms`, `x ${figure(ratio, 2)}`];
      }),
      2,
    );
  return [
    `against ${file}: ${slower.length} slower, ${faster.length} faster, ${unchanged} unchanged`,
    ...(slower.length ? ['slower:', ...rows(slower)] : []),
    ...(faster.length ? ['faster:', ...rows(faster)] : []),
    ...(added.length ? [`${added.length} are new`] : []),
    ...(missing.length ? [`${missing.length} are missing now`] : []),
  ];
}

function speedupLines(rows: readonly Speedup[]): string[] {
  const header = ['naive against the variant that a plan takes', 'naive ms', 'ms', 'ratio'];
  const cells = rows.map(({ op, name = `all of ${op}`, naive_ms, used_ms, ratio }) => [
    name,
    figure(naive_ms, 3),
    figure(used_ms, 3),
    figure(ratio),
  ]);
  return alignColumns([header, ...cells], 1);
}

function warnings(before: KernelReport, now: KernelReport): string[] {
  const { adapter, driver } = before.conditions;
  const lines: string[] = [];
  if (adapter !== now.conditions.adapter || driver !== now.conditions.driver) {
    lines.push(`compared with another adapter or driver: ${adapter}, ${driver}`);
  }
  return lines;
}

/** Times the kernels of the networks at their real sizes, every variant that fits, and tells what changed. */
export async function run(options: KernelOptions, context: Context): Promise<Output> {
  const { imageSize, batchSize, rounds, filter, allOps, usedOnly, against } = options;
  const definitions = chosenModels(options.models, imageSize, context);
  await makeFoldersOf(options.out);
  const before = against ? await readReport(against) : undefined;
  const { device, adapter } = await openDevice(options.adapter, context);
  try {
    const choices = await choicesFor(undefined, adapter, context);
    const every = kernelCases(
      definitions,
      { imageSize, batchSize },
      {
        allOps,
        traits: device.traits,
        wrong: choices.wrong,
        ...(filter ? { filter } : {}),
        ...(options.naive ? { without: passNames } : {}),
      },
    );
    const cases = options.naive ? every.filter(({ attributes }) => isGrouped(attributes)) : every;
    if (cases.length === 0) {
      throw new UsageError(
        filter
          ? `no kernel has "${filter}" in its name, shapes or attributes`
          : 'no network named has grouped convolutions',
      );
    }
    const conditions = conditionsOf(adapter);
    const peaks = await measurePeaks(device);
    const kernels = await benchAll(
      device,
      cases,
      {
        rounds,
        interleave: interleaveSampled,
        peaks,
        choices,
        usedOnly: usedOnly || options.naive,
        ...(options.naive ? { extra: naiveVariants } : {}),
      },
      context,
    );
    const naive = options.naive ? speedups(kernels) : undefined;
    const sizes = { image_size: imageSize, batch_size: batchSize, rounds };
    const report: KernelReport = {
      conditions,
      ...sizes,
      peaks: figuresOf(peaks),
      kernels,
      ...(naive ? { naive } : {}),
    };
    if (options.out) await writeJson(options.out, report);
    const changes = before && compareKernels(before.kernels, kernels);
    for (const line of before ? warnings(before, report) : []) context.note(line);
    const { gflops_f32, gb_per_s } = report.peaks;
    const text = [
      `${cases.length} sizes at ${imageSize} px, batch ${batchSize}; measured peaks: ${figure(gflops_f32, 0)} GFLOP/s, ${figure(gb_per_s)} GB/s`,
      ...tableOf(kernels),
      ...(naive ? ['', ...speedupLines(naive)] : []),
      ...(changes ? ['', ...changeLines(changes, against ?? '')] : []),
    ];
    return { json: { ...report, ...(changes ? { changes } : {}) }, text: text.join('\n') };
  } finally {
    device.destroy();
  }
}
