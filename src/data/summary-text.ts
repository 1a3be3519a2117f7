import type { Counts, DatasetSummary, Spread } from './summary.ts';

const HEADER = ['train normal', 'train abnormal', 'valid normal', 'valid abnormal', 'total'];

/** At most this many files of a kind are named. */
const SHOWN = 10;

function number(value: number): string {
  return value.toLocaleString('en-US');
}

/** `XR_WRIST` as `Wrist`. */
function regionTitle(region: string): string {
  const name = region.replace(/^XR_/, '').toLowerCase();
  return region === 'all' ? name : name.charAt(0).toUpperCase() + name.slice(1);
}

function table(title: string, counts: Record<string, Counts>): string[] {
  const rows = Object.entries(counts).map(([region, { train, valid, total }]) => [
    regionTitle(region),
    ...[train.normal, train.abnormal, valid.normal, valid.abnormal, total].map(number),
  ]);
  const cells = [[title, ...HEADER], ...rows];
  const widths = [title, ...HEADER].map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  return cells.map((row) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  '),
  );
}

function side(name: string, spread: Spread | undefined): string {
  return spread ? `${name} ${spread.min} to ${spread.max} (median ${spread.median})` : `${name} unknown`;
}

function section(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const more = lines.length > SHOWN ? [`  ... and ${number(lines.length - SHOWN)} more`] : [];
  return ['', `${title}: ${number(lines.length)}`, ...lines.slice(0, SHOWN).map((line) => `  ${line}`), ...more];
}

/** The summary as text: Table 2 for studies and for images, sizes, and what is wrong, at most ten lines of a kind. */
export function renderSummary(summary: DatasetSummary): string {
  const wrong = [
    ...section('Missing files', summary.missing),
    ...section(
      'Files that cannot be read',
      summary.undecodable.map(({ path, reason }) => `${path}: ${reason}`),
    ),
    ...section('Files in no list', summary.unlisted),
    ...section('Oddities of the lists', summary.problems),
  ];
  return [
    summary.directory,
    '',
    ...table('studies', summary.studies),
    '',
    ...table('images', summary.images),
    '',
    `Pixels: ${side('width', summary.width)}, ${side('height', summary.height)}`,
    `Channels: ${number(summary.grey)} grey, ${number(summary.rgb)} RGB`,
    ...(wrong.length > 0 ? wrong : ['', 'Nothing wrong with its files.']),
    '',
  ].join('\n');
}
