import type { BootstrapEvaluation } from '../train/bootstrap.ts';
import type { Calibration } from '../train/calibration.ts';
import { type Evaluation, type Prediction, studyPredictions } from '../train/metrics.ts';
import type { EpochMetrics } from '../train/run-state.ts';
import { fixed } from '../train/score-text.ts';
import { Charts } from './charts.ts';
import { type Html, html, section } from './html.ts';
import { page } from './page.ts';
import { calibrationSection, confusionTable, learningCurves, regionChart, rocChart, scoresTable } from './sections.ts';

/** An image that the network is most wrong about. */
export interface Mistake {
  /** Its path within the data set. */
  readonly image: string;
  readonly label: 0 | 1;
  readonly probability: number;
  /** PNG files in base64, of one size: the image, and the class activation map laid over it. */
  readonly picture: string;
  readonly overlay: string;
}

export interface RunReport {
  readonly title: string;
  readonly facts: readonly (readonly [string, string])[];
  readonly evaluation: Evaluation;
  readonly intervals: BootstrapEvaluation;
  readonly calibration: Calibration;
  readonly predictions: readonly Prediction[];
  readonly history: readonly EpochMetrics[];
  /** The paper's kappa by region; empty where it has none. */
  readonly published: Readonly<Record<string, number>>;
  readonly mistakes: readonly Mistake[];
  /** What the maps are. */
  readonly mapNote: string;
}

/** A path that may go on in the next line after each of its folders. */
const breakable = (path: string): Html[] =>
  path.split('/').map((part, index) => (index === 0 ? html`${part}` : html`/<wbr>${part}`));

function mistakeFigure({ image, label, probability, picture, overlay }: Mistake): Html {
  const is = label === 1 ? 'abnormal' : 'normal';
  const png = (base64: string) => `data:image/png;base64,${base64}`;
  return html`<figure><div class="pair"><img src="${png(picture)}" alt="radiograph ${image}"><img src="${png(overlay)}" alt="class activation map over ${image}"></div>
<figcaption>${breakable(image)}: probability ${fixed(probability)}, but it is ${is}</figcaption></figure>
`;
}

function mistakesSection({ mistakes, mapNote }: RunReport): Html {
  if (mistakes.length === 0) return html`<p>No image is called wrongly.</p>`;
  return html`<p>The images that were called wrongly with the most confidence, one a study, and where the network looked: ${mapNote}.</p>
<div class="mistakes">
${mistakes.map(mistakeFigure)}</div>
`;
}

/** The report of a run on a split as one HTML file without scripts. `document` is what charts are built with. */
export function runReport(report: RunReport, document: Document): string {
  const { title, facts, evaluation, intervals, calibration, predictions, history } = report;
  const charts = new Charts(document);
  const studies = studyPredictions(predictions);
  const body = html`${section('Scores', scoresTable(evaluation, intervals))}${section(
    'Kappa by region',
    regionChart(charts, evaluation, intervals, report.published),
  )}${history.length > 0 ? section('Learning curves', learningCurves(charts, history)) : ''}${section(
    'ROC and confusion',
    html`<div class="row">
${rocChart(charts, 'ROC; dots: threshold 0.5', [
  { name: `images, AUC ${fixed(evaluation.images.auc)}`, predictions },
  { name: `studies, AUC ${fixed(evaluation.studies.auc)}`, predictions: studies },
])}<div>${confusionTable('Images', predictions)}${confusionTable('Studies', studies)}</div></div>`,
  )}${section('Calibration', calibrationSection(charts, calibration))}${section('Most confident mistakes', mistakesSection(report))}`;
  return page({ title, facts, body });
}
