import type { BootstrapEvaluation, Intervals } from '../train/bootstrap.ts';
import type { Evaluation, Levels, Scores } from '../train/metrics.ts';
import { regionTitle, withInterval } from '../train/score-text.ts';

const COLUMNS = ['accuracy', 'precision', 'recall', 'f1', 'kappa', 'auc'] as const;
const WIDTH = 22;

function row(name: string, scores: Scores, intervals?: Intervals): string {
  const cells = COLUMNS.map((column) => withInterval(scores[column], intervals?.[column]).padEnd(WIDTH));
  return `${name.padEnd(16)}${String(scores.count).padEnd(8)}${cells.join('')}`.trimEnd();
}

/**
 * Scores as text: all images and studies with 95 % intervals, then each region's studies. Intervals are left out where
 * none are given.
 */
export function scoreTable(evaluation: Evaluation, intervals?: BootstrapEvaluation): string {
  const header =
    `${''.padEnd(16)}${'count'.padEnd(8)}${COLUMNS.map((column) => column.padEnd(WIDTH)).join('')}`.trimEnd();
  const regions = Object.entries(evaluation.regions).map(([region, levels]: [string, Levels]) =>
    row(regionTitle(region), levels.studies, intervals?.regions[region]?.studies),
  );
  return [
    header,
    row('images', evaluation.images, intervals?.images),
    row('studies', evaluation.studies, intervals?.studies),
    ...(regions.length > 1 ? ['studies of', ...regions] : []),
  ].join('\n');
}
