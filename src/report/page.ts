import { Html, html } from './html.ts';

const STYLE = `
:root {
  color-scheme: light dark;
  --ink: #1b1f24; --paper: #fff; --faint: #5b6570; --line: #d5dae0; --heat: #2f81f7;
  --series-0: #0b62a3; --series-1: #c2410c; --series-2: #0f766e; --series-3: #9d174d;
  --series-4: #6d28d9; --series-5: #4d7c0f; --series-6: #92400e; --series-7: #475569;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e9ec; --paper: #14171a; --faint: #a3adb8; --line: #3a424b; --heat: #58a6ff;
    --series-0: #6cb6ff; --series-1: #ff9d5c; --series-2: #4fd1c5; --series-3: #ff8ac2;
    --series-4: #b79cff; --series-5: #b5d35c; --series-6: #e0b48a; --series-7: #aab7c4;
  }
}
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto; max-width: 1120px; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p { max-width: 46rem; margin: .5rem 0; }
.faint, figcaption, caption { color: var(--faint); font-size: .875rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: 0; font-size: .875rem; }
dt { color: var(--faint); }
dd { margin: 0; }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); gap: 1.5rem; align-items: start; }
figure { margin: .75rem 0; min-width: 0; }
figcaption { margin-bottom: .25rem; }
figure > svg { width: 100%; max-width: 480px; height: auto; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0 1rem; margin: 0; padding: 0; font-size: .8125rem; }
.legend svg { display: inline-block; vertical-align: middle; margin-right: .35rem; }
.scroll { overflow-x: auto; margin: .5rem 0; }
:focus-visible { outline: 2px solid var(--heat); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .875rem; }
caption { text-align: left; padding-bottom: .25rem; }
th, td { text-align: right; padding: .2rem .7rem; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; white-space: normal; min-width: 5.5rem; }
th { font-weight: 600; }
th, td { vertical-align: top; }
td small { display: block; color: var(--faint); }
.confusion { margin: .75rem 0 1.5rem; }
.confusion td { background: color-mix(in srgb, var(--heat) calc(var(--share) * 35%), transparent); min-width: 6.5rem; }
details { margin: .5rem 0; font-size: .875rem; }
summary { cursor: pointer; color: var(--faint); padding: .35rem 0; }
.mistakes figure { margin: 0; }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: 1rem; }
.pair { display: flex; gap: 4px; }
.pair img { width: calc(50% - 2px); height: auto; align-self: start; background: #000; }
@media (min-width: 700px) { th:first-child { min-width: 11rem; } }
@media print { .scroll { overflow: visible; } section { break-inside: avoid; } }
`;

/** One HTML file that loads nothing and runs no script: its policy forbids both. */
export function page({
  title,
  facts,
  body,
}: {
  title: string;
  facts: readonly (readonly [string, string])[];
  body: Html;
}): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<dl>
${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>\n`)}</dl>
<p class="faint">A research tool, not a medical device. Intervals cover 95 %, by resampling patients.</p>
${body}</main>
</body>
</html>
`.text;
}
