import { millions } from '../base/figures.ts';
import type { ComparedRun, Comparison, KappaDifference, Measured } from '../train/comparison.ts';
import type { MeasuredRun } from '../train/measured-run.ts';
import { rankPredictions, score, studyPredictions } from '../train/metrics.ts';
import { fixed, regionTitle, trainingTime } from '../train/score-text.ts';
import { Charts } from './charts.ts';
import { type Cell, folded, type Html, html, section, table } from './html.ts';
import { page } from './page.ts';
import { epochChart, kappaChart, type NamedKappa, rocChart, SCORE_TITLES, scoreCell, scoreCells } from './sections.ts';

function runRows(run: ComparedRun): Cell[][] {
  const { published: paper } = run;
  const cost = [millions(run.parameters), trainingTime(run.train_s)];
  return [
    [`${run.run}, studies`, ...scoreCells(run.studies, run.intervals.studies), ...cost],
    [`${run.run}, images`, ...scoreCells(run.images, run.intervals.images), '', ''],
    ...(paper
      ? [
          [
            `${run.model} in the paper, on MURA`,
            ...scoreCells({ ...paper, count: 0, auc: null }),
            `${paper.parameters} M`,
            `${paper.time} (no unit)`,
          ],
        ]
      : []),
  ];
}

const named = ({ runs, ensembles }: Comparison): { name: string; measured: Measured; paper: number | undefined }[] => [
  ...runs.map((run) => ({ name: run.run, measured: run, paper: run.published?.kappa })),
  ...ensembles.map((ensemble) => ({ name: ensemble.ensemble, measured: ensemble, paper: undefined })),
];

const kappasOf = (comparison: Comparison): NamedKappa[] =>
  named(comparison).map(({ name, measured: { studies, intervals }, paper }) => ({
    name,
    value: studies.kappa,
    interval: intervals.studies.kappa,
    published: paper,
  }));

function regionTable(comparison: Comparison): Html {
  const all = named(comparison);
  const regions = Object.keys(comparison.runs[0]?.regions ?? {});
  const rows = all.map(({ name, measured }, index) => [
    name,
    ...regions.map((region) => {
      const kappa = scoreCell(
        measured.regions[region]?.studies.kappa ?? null,
        measured.intervals.regions[region]?.studies.kappa,
      );
      const paper = comparison.runs[index]?.published?.regions[region];
      return paper === undefined ? kappa : html`${kappa}<small>paper ${fixed(paper)}</small>`;
    }),
  ]);
  return table('Kappa of the studies by region', ['run or ensemble', ...regions.map(regionTitle)], rows);
}

const difference = ({ value, interval }: KappaDifference): Cell => scoreCell(value, interval);

function ensembleSection({ best, ensembles }: Comparison): Html {
  const header = ['ensemble', ...SCORE_TITLES, 'kappa less best run', 'of images'];
  const rows = ensembles.map(({ ensemble, studies, intervals, kappa_difference: kappa }) => [
    ensemble,
    ...scoreCells(studies, intervals.studies),
    difference(kappa.studies),
    difference(kappa.images),
  ]);
  const chosen = ensembles.flatMap(({ ensemble, chosen }) =>
    chosen
      ? [
          table(
            `Chosen for: ${ensemble}`,
            ['region', 'first half', 'second half'],
            Object.entries(chosen).map(([group, [first, second]]) => [regionTitle(group), first, second]),
          ),
        ]
      : [],
  );
  return html`${table('Ensembles at the level of studies', header, rows)}
<p>Best run: ${best}, chosen on the very studies that it is measured on, which favours it. Differences are paired: every
resample scores both. What is chosen on one half of the patients is measured on the other, both ways; intervals take the
choice as it was made.</p>
${folded('Which runs were chosen', html`${chosen}`)}`;
}

function calibrationTable({ runs }: Comparison): Html {
  const rows = runs.map(({ run, calibration: { temperature, images, studies } }) => [
    run,
    fixed(temperature),
    ...[images.before, images.after, studies.before, studies.after].map(({ ece }) => fixed(ece)),
  ]);
  const header = ['run', 'temperature', 'ECE of images', 'with temperature', 'ECE of studies', 'with temperature'];
  return table('Fitted on one half of the patients, measured on the other', header, rows);
}

/** What runs make of the same images, as one HTML file without scripts. `document` is what charts are built with. */
export function comparisonReport(comparison: Comparison, measured: readonly MeasuredRun[], document: Document): string {
  const charts = new Charts(document);
  const { runs, split, patients } = comparison;
  const { images, studies } = runs[0] as ComparedRun;
  const readings = measured.map(({ path, predictions }) => {
    const own = studyPredictions(predictions);
    return { name: `${path}, AUC ${fixed(score(rankPredictions(own)).auc)}`, predictions: own };
  });
  const curves = measured.map(({ path, history }) => ({ name: path, history }));
  const scores = table(
    'Scores with intervals',
    ['cases', ...SCORE_TITLES, 'parameters', 'training'],
    runs.flatMap(runRows),
  );
  const body = html`${section(
    'Scores',
    scores,
    html`<div class="row">
${kappaChart(charts, kappasOf(comparison))}${rocChart(charts, 'ROC of the studies; dots: threshold 0.5', readings)}</div>`,
  )}${section('Kappa by region', regionTable(comparison))}${
    comparison.ensembles.length > 0 ? section('Ensembles', ensembleSection(comparison)) : ''
  }${section('Calibration', calibrationTable(comparison))}${section(
    'Learning curves',
    html`<div class="row">
${epochChart(
  charts,
  'Validation loss',
  'binary cross-entropy',
  curves.map((curve) => ({ ...curve, value: (epoch) => epoch.valid_loss })),
)}${epochChart(
  charts,
  'Kappa of the studies on the validation split',
  'kappa',
  curves.map((curve) => ({ ...curve, value: (epoch) => epoch.studies.kappa })),
)}</div>`,
  )}`;
  const facts = [
    ['measured on', `${images.count} images, ${studies.count} studies of ${patients} patients, ${split} split`],
    ['best run', comparison.best],
  ] as const;
  return page({ title: `${runs.length} ${runs.length === 1 ? 'run' : 'runs'} beside the paper`, facts, body });
}
