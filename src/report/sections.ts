import { percent } from '../base/figures.ts';
import type { BootstrapEvaluation, Interval, Intervals } from '../train/bootstrap.ts';
import type { Calibration, Reliability, ReliabilityBin } from '../train/calibration.ts';
import { confusion, type Evaluation, type Prediction, rankPredictions, type Scores } from '../train/metrics.ts';
import { type RocPoint, rocCurve } from '../train/roc.ts';
import type { EpochMetrics } from '../train/run-state.ts';
import { fixed, regionTitle, withInterval } from '../train/score-text.ts';
import type { Axis, Charts, Point, Series } from './charts.ts';
import { type Cell, folded, type Html, html, table } from './html.ts';

const COLUMNS = ['accuracy', 'precision', 'recall', 'f1', 'kappa', 'auc'] as const;
export const SCORE_TITLES = ['accuracy', 'precision', 'recall', 'F1', 'kappa', 'AUC'];
const SHARE: Pick<Axis, 'domain' | 'ticks'> = { domain: [0, 1], ticks: 5 };

/** A score above its interval. */
export const scoreCell = (value: number | null, interval: Interval | null | undefined): Cell =>
  interval ? html`${fixed(value)}<small>${fixed(interval.low)} to ${fixed(interval.high)}</small>` : fixed(value);

export const scoreCells = (scores: Scores, intervals?: Intervals): Cell[] =>
  COLUMNS.map((column) => scoreCell(scores[column], intervals?.[column]));

/** Scores of images, studies and each region's studies. */
export function scoresTable(evaluation: Evaluation, intervals: BootstrapEvaluation): Html {
  const row = (name: string, scores: Scores, own?: Intervals) => [
    name,
    String(scores.count),
    ...scoreCells(scores, own),
  ];
  const regions = Object.entries(evaluation.regions).map(([region, { studies }]) =>
    row(`${regionTitle(region)}, studies`, studies, intervals.regions[region]?.studies),
  );
  return table(
    'Scores with intervals',
    ['cases', 'count', ...SCORE_TITLES],
    [
      row('images', evaluation.images, intervals.images),
      row('studies', evaluation.studies, intervals.studies),
      ...regions,
    ],
  );
}

const figure = (caption: string, ...contents: readonly Html[]): Html =>
  html`<figure><figcaption>${caption}</figcaption>${contents}</figure>\n`;

/** A reading under the name that the charts show. */
export interface NamedReading {
  readonly name: string;
  readonly predictions: readonly Prediction[];
}

const rocPoint = ({ falsePositiveRate, truePositiveRate }: RocPoint): Point => ({
  x: falsePositiveRate,
  y: truePositiveRate,
});

/** The ROC curves of some readings; dots mark the threshold of 0.5. */
export function rocChart(charts: Charts, caption: string, readings: readonly NamedReading[]): Html {
  const series = readings.flatMap(({ name, predictions }): Series[] => {
    const ranked = rankPredictions(predictions);
    const curve = rocCurve(ranked);
    if (!curve) return [];
    const { truePositive, falseNegative, falsePositive, trueNegative } = confusion(ranked);
    const x = falsePositive / (falsePositive + trueNegative);
    const y = truePositive / (truePositive + falseNegative);
    const title = `${name} at 0.5: ${fixed(y)} of the abnormal and ${fixed(x)} of the normal are called abnormal`;
    return [{ name, points: curve.map(rocPoint), marked: [{ x, y, title }] }];
  });
  if (series.length === 0) return html`<p>There is no ROC curve: a class is absent.</p>`;
  const chart = charts.lines({
    label: `${caption}: ROC curves of ${series.map(({ name }) => name).join(', ')}`,
    x: { label: 'normal called abnormal', ...SHARE },
    y: { label: 'abnormal called abnormal', ...SHARE },
    series,
    diagonal: true,
    square: true,
  });
  return figure(caption, chart);
}

/** Counts of cases by what they are and what they were called, and the share of those that are. */
export function confusionTable(caption: string, predictions: readonly Prediction[]): Html {
  const { truePositive, falseNegative, falsePositive, trueNegative } = confusion(rankPredictions(predictions));
  const row = (name: string, counts: readonly [number, number]) => {
    const all = counts[0] + counts[1];
    const cells = counts.map((count) => {
      const share = all === 0 ? 0 : count / all;
      return html`<td style="--share:${share.toFixed(3)}">${count} (${percent(share)})</td>`;
    });
    return html`<tr><th scope="row">${name}</th>${cells}</tr>\n`;
  };
  return html`<table class="confusion"><caption>${caption}</caption>
<thead><tr><th scope="col">true label</th><th scope="col">called normal</th><th scope="col">called abnormal</th></tr></thead>
<tbody>
${row('normal', [trueNegative, falsePositive])}${row('abnormal', [falseNegative, truePositive])}</tbody></table>
`;
}

/** Kappa of the studies of a run, an ensemble or a region. */
export interface NamedKappa {
  readonly name: string;
  readonly value: number | null;
  readonly interval: Interval | null | undefined;
  /** The paper's. */
  readonly published: number | undefined;
}

/** Kappas of studies with their intervals, beside the paper's where there is one. */
export function kappaChart(charts: Charts, kappas: readonly NamedKappa[]): Html {
  const rows = kappas.map(({ name, value, interval, published }) => {
    const title = `${name}: ${withInterval(value, interval)}`;
    return { name, value, low: interval?.low, high: interval?.high, published, title };
  });
  const lowest = Math.min(0, ...rows.flatMap(({ value, low }) => [value ?? 0, low ?? 0]));
  const chart = charts.intervals({
    label: `kappa of the studies with intervals: ${rows.map(({ title }) => title).join('; ')}`,
    axis: { label: 'kappa', domain: [Math.max(-1, lowest), 1], ticks: 6 },
    rows,
  });
  const paper = rows.some((row) => row.published !== undefined) ? '; diamonds: the paper, on MURA' : '';
  return figure(`Kappa of the studies${paper}`, chart);
}

/** Kappa of the studies of each region. */
export function regionChart(
  charts: Charts,
  { regions }: Evaluation,
  intervals: BootstrapEvaluation,
  published: Readonly<Record<string, number>>,
): Html {
  const kappas = Object.entries(regions).map(([region, { studies }]) => ({
    name: `${regionTitle(region)}, ${studies.count} studies`,
    value: studies.kappa,
    interval: intervals.regions[region]?.studies.kappa,
    published: published[region],
  }));
  return kappaChart(charts, kappas);
}

const epochAxis = (epochs: readonly number[]): Axis => {
  const [first, last] = [Math.min(...epochs), Math.max(...epochs)];
  const domain: [number, number] = first === last ? [first - 0.5, first + 0.5] : [first, last];
  return { label: 'epoch', domain, ticks: Math.max(1, Math.min(8, last - first)), tickFormat: 'd' };
};

interface Curve {
  readonly name: string;
  readonly history: readonly EpochMetrics[];
  readonly value: (epoch: EpochMetrics) => number | null;
}

/** A measure over the epochs. */
export function epochChart(charts: Charts, caption: string, measure: string, curves: readonly Curve[]): Html {
  const series = curves.map(({ name, history, value }): Series => {
    const points = history.flatMap((epoch): Point[] => {
      const y = value(epoch);
      return y === null ? [] : [{ x: epoch.epoch, y, title: `${name}, epoch ${epoch.epoch}: ${y.toFixed(4)}` }];
    });
    return { name, points, marked: points.length <= 30 ? points : [] };
  });
  const epochs = series.flatMap(({ points }) => points.map(({ x }) => x));
  if (epochs.length === 0) return html``;
  const label = `${caption}: ${series.map(({ name }) => name).join(' and ')} by epoch`;
  return figure(caption, charts.lines({ label, x: epochAxis(epochs), y: { label: measure }, series }));
}

/** How a run learned: losses, and scores on the validation split. */
export function learningCurves(charts: Charts, history: readonly EpochMetrics[]): Html {
  const rows = history.map((epoch) => [
    String(epoch.epoch),
    epoch.train_loss.toFixed(4),
    epoch.valid_loss.toFixed(4),
    fixed(epoch.images.auc),
    fixed(epoch.studies.kappa),
    String(Number(epoch.learning_rate.toPrecision(3))),
  ]);
  const header = ['epoch', 'training loss', 'validation loss', 'AUC (images)', 'kappa (studies)', 'learning rate'];
  return html`<div class="row">
${epochChart(charts, 'Loss', 'binary cross-entropy', [
  { name: 'training', history, value: (epoch) => epoch.train_loss },
  { name: 'validation', history, value: (epoch) => epoch.valid_loss },
])}${epochChart(charts, 'Scores on the validation split', 'score', [
  { name: 'AUC of the images', history, value: (epoch) => epoch.images.auc },
  { name: 'kappa of the studies', history, value: (epoch) => epoch.studies.kappa },
])}</div>
${folded('The epochs as a table', table('Epochs', header, rows))}`;
}

const filled = ({ bins }: Reliability): ReliabilityBin[] => bins.filter(({ count }) => count > 0);

function calibrationChart(charts: Charts, caption: string, both: readonly (readonly [string, Reliability])[]): Html {
  const series = both.map(([name, measured]): Series => {
    const points = filled(measured).map(
      ({ probability, abnormal, count }): Point => ({
        x: probability ?? 0,
        y: abnormal ?? 0,
        radius: 2 + 6 * Math.sqrt(count / measured.count),
        title: `${name}: ${count} of mean probability ${fixed(probability)}, ${fixed(abnormal)} of them abnormal`,
      }),
    );
    return { name: `${name}: ECE ${fixed(measured.ece)}`, points, marked: points };
  });
  const chart = charts.lines({
    label: `${caption}: share of abnormal cases by probability; ${series.map(({ name }) => name).join('; ')}`,
    x: { label: 'probability', ...SHARE },
    y: { label: 'share that is abnormal', ...SHARE },
    series,
    diagonal: true,
    square: true,
  });
  return figure(caption, chart);
}

/** How far probabilities can be taken at their word, before and after a temperature. */
export function calibrationSection(charts: Charts, { temperature, fitted_on, images, studies }: Calibration): Html {
  const levels = [
    ['images', images],
    ['studies', studies],
  ] as const;
  const said = temperature === null ? 'no temperature fits' : `temperature ${fixed(temperature)}`;
  const header = ['probability', 'count', 'mean probability', 'share abnormal'];
  const drawn = levels.map(([level, { before, after }]) => {
    const both = [['as they are', before] as const, ...(temperature === null ? [] : [[said, after] as const])];
    return calibrationChart(charts, `${before.count} ${level}`, both);
  });
  const tables = levels.flatMap(([level, { before, after }]) =>
    (temperature === null ? [before] : [before, after]).map((measured, index) =>
      table(
        `${level}, ${index === 0 ? 'as they are' : said}`,
        header,
        filled(measured).map(({ low, high, count, probability, abnormal }) => [
          `${fixed(low)} to ${fixed(high)}`,
          String(count),
          fixed(probability),
          fixed(abnormal),
        ]),
      ),
    ),
  );
  return html`<p>Of the cases whose probability is p, a share p should be abnormal. The expected calibration error (ECE) is
the mean distance from that over ${images.before.bins.length} bins. The temperature, which logits are divided by, is
fitted on the ${fitted_on} images of one half of the patients; all that is shown is of the other half: ${said}.</p>
<div class="row">
${drawn}</div>
<p class="faint">The larger a dot, the more cases it stands for.</p>
${folded('The bins as tables', html`${tables}`)}`;
}
