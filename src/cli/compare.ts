import { resolve } from 'node:path';
import { UserError } from '../base/errors.ts';
import { millions } from '../base/figures.ts';
import { nodeFiles } from '../io/node.ts';
import { comparisonReport } from '../report/comparison-report.ts';
import type { Intervals } from '../train/bootstrap.ts';
import { type ComparedRun, type Comparison, compareRuns } from '../train/comparison.ts';
import { readMeasuredRuns } from '../train/measured-run.ts';
import type { Scores } from '../train/metrics.ts';
import { fixed, regionTitle, trainingTime, withInterval } from '../train/score-text.ts';
import type { Context, Output } from './command.ts';
import type { Options } from './options.ts';
import { makeFoldersOf } from './output-folder.ts';
import { reportDocument } from './report-document.ts';
import { alignColumns } from './text-table.ts';

const COLUMNS = ['accuracy', 'precision', 'recall', 'f1', 'kappa'] as const;

const scoreCells = (scores: Pick<Scores, (typeof COLUMNS)[number]>, intervals?: Intervals): string[] =>
  COLUMNS.map((column) => withInterval(scores[column], intervals?.[column]));

/** The paper's Table 3: measured at both levels, and published. */
function scoreLines({ runs }: Comparison): string[] {
  const rows = runs.flatMap((run: ComparedRun) => {
    const { published: paper } = run;
    const cost = [millions(run.parameters), trainingTime(run.train_s)];
    return [
      [run.run, 'studies', ...scoreCells(run.studies, run.intervals.studies), ...cost],
      ['', 'images', ...scoreCells(run.images, run.intervals.images)],
      ...(paper ? [['', 'paper', ...scoreCells(paper), `${paper.parameters} M`, `${paper.time} (no unit)`]] : []),
    ];
  });
  return alignColumns([['', '', ...COLUMNS, 'parameters', 'training'], ...rows], 7);
}

/** The paper's Table 4: kappa of the studies of each region. */
function regionLines({ runs }: Comparison): string[] {
  const regions = Object.keys(runs[0]?.regions ?? {});
  const rows = regions.flatMap((region) =>
    runs.map((run, index) => {
      const { studies } = run.regions[region] ?? {};
      const kappa = withInterval(studies?.kappa ?? null, run.intervals.regions[region]?.studies.kappa);
      const name = index === 0 ? `${regionTitle(region)} (${studies?.count})` : '';
      return [name, run.run, kappa, fixed(run.published?.regions[region] ?? null)];
    }),
  );
  return alignColumns([['region (studies)', 'run', 'kappa', 'paper'], ...rows], 3);
}

function ensembleLines({ ensembles, best }: Comparison): string[] {
  const rows = ensembles.map(({ ensemble, studies, intervals, kappa_difference: kappa }) => [
    ensemble,
    ...scoreCells(studies, intervals.studies),
    withInterval(kappa.studies.value, kappa.studies.interval),
  ]);
  const chosen = ensembles.flatMap(({ chosen }) =>
    Object.entries(chosen ?? {}).map(
      ([group, [first, second]]) => `${regionTitle(group)}: ${first === second ? first : `${first}, ${second}`}`,
    ),
  );
  return [
    ...alignColumns([['', ...COLUMNS, 'kappa less best run'], ...rows], 7),
    `best run: ${best} (chosen on the studies that it is measured on)`,
    `chosen for the first and the second half of the patients, each on the other half: ${chosen.join('; ')}`,
  ];
}

function calibrationLines({ runs }: Comparison): string[] {
  const rows = runs.map(({ run, calibration: { temperature, images, studies } }) => [
    run,
    fixed(temperature),
    `${fixed(images.before.ece)} -> ${fixed(images.after.ece)}`,
    `${fixed(studies.before.ece)} -> ${fixed(studies.after.ece)}`,
  ]);
  return alignColumns([['', 'temperature', 'ECE of images', 'ECE of studies'], ...rows], 4);
}

/** Runs beside each other and beside the paper, and what they make of the images together. */
export async function run(options: Options<'compare'>, _context: Context): Promise<Output> {
  await makeFoldersOf(options.html);
  const places = options.runs.map((path) => resolve(path));
  const twice = options.runs.find((_, index) => places.indexOf(places[index] as string) < index);
  if (twice) throw new UserError(`${twice} is named twice: name each run once`);
  const measured = await readMeasuredRuns(nodeFiles, options.runs);
  const comparison = compareRuns(measured, { seed: 0 });
  if (options.html) {
    await nodeFiles.writeAtomic(options.html, comparisonReport(comparison, measured, reportDocument()));
  }
  const { images, studies } = comparison.runs[0] as ComparedRun;
  const text = [
    `${images.count} images, ${studies.count} studies of ${comparison.patients} patients, ${comparison.split} split; ` +
      "95 % intervals by patient; the paper's figures are of MURA",
    ...scoreLines(comparison),
    '',
    'Kappa of the studies by region',
    ...regionLines(comparison),
    ...(comparison.ensembles.length > 0 ? ['', 'Ensembles, studies', ...ensembleLines(comparison)] : []),
    '',
    'Calibration: temperature fitted on one half of the patients, measured on the other, without -> with it',
    ...calibrationLines(comparison),
    ...(options.html ? [`report: ${options.html}`] : []),
  ];
  return { json: comparison, text: text.join('\n') };
}
