import { figure, percent } from '../base/figures.ts';
import { Html, html, table } from '../report/html.ts';
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

/** A script's text can end its element only where it says so. */
const inScript = (text: string): Html => new Html(text.replace(/<\/(script)/gi, '<\\/$1').replace(/<!--/g, '<\\!--'));

function tableOf({ kernels }: Profile): Html {
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
  return table('The launches by kernel', header, rows);
}

/** uPlot formats numbers by the browser's language, which is no valid locale on some machines (`en-US@posix`); the page is in English. */
const LOCALE = new Html("Object.defineProperty(navigator, 'language', { value: 'en-US' });");

/** One HTML file with the roofline plot and the table of a profile; it loads nothing. */
export function rooflinePage(
  profile: Profile,
  peaks: PeakFigures,
  { title, notes }: { title: string; notes: readonly string[] },
  parts: PageParts,
): string {
  const data = new Html(JSON.stringify(rooflineData(profile, peaks)).replace(/</g, '\\u003c'));
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>
${new Html(parts.style)}
body { font: 14px system-ui, sans-serif; margin: 2em auto; max-width: 1100px; padding: 0 1em; color: #222; background: #fff; }
h1 { font-size: 1.3em; }
#plot { position: relative; }
#tip { position: absolute; display: none; pointer-events: none; z-index: 10; padding: 6px 9px; border-radius: 4px; background: #222d; color: #fff; font-size: 12px; white-space: pre; }
table { border-collapse: collapse; margin-top: 1em; }
th, td { text-align: right; padding: 2px 10px; border-bottom: 1px solid #ddd; font-variant-numeric: tabular-nums; }
caption, th:first-child { text-align: left; }
tbody th { font-weight: normal; }
</style>
</head>
<body>
<h1>${title}</h1>
${notes.map((note) => html`<p>${note}</p>\n`)}
<div id="plot"></div>
${tableOf(profile)}
<script type="application/json" id="data">${data}</script>
<script>${LOCALE}
${inScript(parts.library)}</script>
<script type="module">${inScript(parts.client)}</script>
</body>
</html>
`.text;
}
