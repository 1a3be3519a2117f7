import type { LaunchProfile, Profile } from './profile.ts';
import type { PeakFigures } from './roofline.ts';

/** One launch in the plot. */
export interface RooflinePoint {
  /** FLOP per byte. */
  readonly intensity: number;
  readonly gflops: number;
  /** What is shown beside the pointer, a line each. */
  readonly lines: readonly string[];
}

/** What the page's script draws. */
export interface RooflineData {
  readonly peaks: PeakFigures;
  readonly kinds: readonly { readonly kernel: string; readonly points: readonly RooflinePoint[] }[];
}

/** Texts that the page holds inside itself: a page opened from a disk without a network has to draw. */
export interface PageParts {
  /** uPlot as a classic script, and its style sheet. */
  readonly library: string;
  readonly style: string;
  /** The compiled text of roofline-client.ts. */
  readonly client: string;
}

const figure = (value: number | null, digits = 1): string => (value === null ? '-' : value.toFixed(digits));
const percent = (share: number | null): string => (share === null ? '-' : `${(100 * share).toFixed(1)} %`);

/** The launches that compute something, by kind in the order of their time; those without a cost have no place in a roofline. */
export function rooflineData({ launches, kernels }: Profile, peaks: PeakFigures): RooflineData {
  const kinds = kernels.map(({ kernel }) => ({
    kernel,
    points: launches.filter((launch) => launch.kernel === kernel && launch.gflops && launch.bytes > 0).map(pointOf),
  }));
  return { peaks, kinds: kinds.filter(({ points }) => points.length > 0) };
}

function pointOf(launch: LaunchProfile): RooflinePoint {
  const { flops, bytes, gflops, gb_per_s, share_of_peak, limit } = launch;
  return {
    intensity: flops / bytes,
    gflops: gflops ?? 0,
    lines: [
      `${launch.op} ${launch.layer}`.trim(),
      launch.sizes,
      `${launch.kernel} (${launch.phase})`,
      `${figure(gflops, 2)} GFLOP/s, ${figure(gb_per_s, 2)} GB/s, ${figure(launch.ms, 3)} ms`,
      `${percent(share_of_peak)} of the ${limit} peak, ${figure(flops / bytes, 2)} FLOP/B`,
    ],
  };
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (letter) => ENTITIES[letter] ?? letter);
/** A script's text can end its element only where it says so. */
const inScript = (text: string): string => text.replace(/<\/(script)/gi, '<\\/$1').replace(/<!--/g, '<\\!--');

function tableOf({ kernels }: Profile): string {
  const header = ['kernel', 'launches', 'ms', 'of the time', 'GFLOP/s', 'GB/s', 'of the peak', 'limit'];
  const rows = kernels.map((one) => [
    one.kernel,
    String(one.launches),
    figure(one.ms, 2),
    percent(one.share_of_time),
    figure(one.gflops),
    figure(one.gb_per_s),
    percent(one.share_of_peak),
    one.limit ?? '-',
  ]);
  const cells = (row: readonly string[], tag: string) =>
    row.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('');
  return `<table><tr>${cells(header, 'th')}</tr>\n${rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('\n')}</table>`;
}

/** uPlot formats numbers by the browser's language, which is no valid locale on some machines (`en-US@posix`); the page is in English. */
const LOCALE = "Object.defineProperty(navigator, 'language', { value: 'en-US' });";

/** One HTML file with the roofline plot and the table of a profile; it loads nothing. */
export function rooflinePage(
  profile: Profile,
  peaks: PeakFigures,
  { title, notes }: { title: string; notes: readonly string[] },
  parts: PageParts,
): string {
  const data = JSON.stringify(rooflineData(profile, peaks)).replace(/</g, '\\u003c');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${escaped(title)}</title>
<style>
${parts.style}
body { font: 14px system-ui, sans-serif; margin: 2em auto; max-width: 1100px; padding: 0 1em; color: #222; background: #fff; }
h1 { font-size: 1.3em; }
#plot { position: relative; }
#tip { position: absolute; display: none; pointer-events: none; z-index: 10; padding: 6px 9px; border-radius: 4px; background: #222d; color: #fff; font-size: 12px; white-space: pre; }
table { border-collapse: collapse; margin-top: 1em; }
th, td { text-align: right; padding: 2px 10px; border-bottom: 1px solid #ddd; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
</style>
</head>
<body>
<h1>${escaped(title)}</h1>
${notes.map((note) => `<p>${escaped(note)}</p>`).join('\n')}
<div id="plot"></div>
${tableOf(profile)}
<script type="application/json" id="data">${data}</script>
<script>${LOCALE}
${inScript(parts.library)}</script>
<script type="module">${inScript(parts.client)}</script>
</body>
</html>
`;
}
