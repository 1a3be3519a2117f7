import type { BootstrapEvaluation, Interval, Intervals } from '../train/bootstrap.ts';
import type { Evaluation, Levels, Scores } from '../train/metrics.ts';

const COLUMNS = ['accuracy', 'precision', 'recall', 'f1', 'kappa', 'auc'] as const;
const WIDTH = 22;

const fixed = (value: number | null): string => (value === null ? '-' : value.toFixed(3));

const cell = (value: number | null, interval: Interval | null | undefined): string =>
  interval ? `${fixed(value)} (${fixed(interval.low)}, ${fixed(interval.high)})` : fixed(value);

function row(name: string, scores: Scores, intervals?: Intervals): string {
  const cells = COLUMNS.map((column) => cell(scores[column], intervals?.[column]).padEnd(WIDTH));
  return `${name.padEnd(16)}${String(scores.count).padEnd(8)}${cells.join('')}`.trimEnd();
}

const short = (region: string): string => {
  const name = region.replace(/^XR_/, '').toLowerCase();
  return name.charAt(0).toUpperCase() + name.slice(1);
};

/**
 * Scores as text: all images and studies with 95 % intervals, then each region's studies. Intervals are left out where
 * none are given.
 */
export function scoreTable(evaluation: Evaluation, intervals?: BootstrapEvaluation): string {
  const header =
    `${''.padEnd(16)}${'count'.padEnd(8)}${COLUMNS.map((column) => column.padEnd(WIDTH)).join('')}`.trimEnd();
  const regions = Object.entries(evaluation.regions).map(([region, levels]: [string, Levels]) =>
    row(short(region), levels.studies, intervals?.regions[region]?.studies),
  );
  return [
    header,
    row('images', evaluation.images, intervals?.images),
    row('studies', evaluation.studies, intervals?.studies),
    ...(regions.length > 1 ? ['studies of', ...regions] : []),
  ].join('\n');
}
