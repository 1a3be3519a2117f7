import { parseHTML } from 'linkedom';
import { describe, expect, test } from 'vitest';
import { html } from '../../src/report/html.ts';
import { comparisonPage, fabricateReport, HOSTILE, PLAIN, pageOf, runPage } from './fabricated-report.ts';

const parse = (page: string) => parseHTML(page).document;

describe.each([
  ['a run', runPage],
  ['a comparison', comparisonPage],
])('the report of %s', (_, make) => {
  test('holds everything in itself, and no script', async () => {
    const page = await make(PLAIN);
    expect(page).toContain("default-src 'none'; style-src 'unsafe-inline'; img-src data:");
    expect(page).not.toMatch(/<script|https?:|@import|url\(|\son\w+=/i);
    const document = parse(page);
    for (const element of document.querySelectorAll('[src], [href]')) {
      expect(element.getAttribute('src') ?? element.getAttribute('href')).toMatch(/^data:/);
    }
  });

  test('says in words what its charts show, and as tables', async () => {
    const document = parse(await make(PLAIN));
    const charts = [...document.querySelectorAll('svg[role=img]')];
    expect(charts.length).toBeGreaterThan(3);
    for (const chart of charts) expect(chart.getAttribute('aria-label')?.length).toBeGreaterThan(10);
    expect(charts.map((chart) => chart.getAttribute('aria-label')).join()).not.toMatch(/NaN|undefined|null/);
    for (const path of document.querySelectorAll('path')) expect(path.getAttribute('d')).not.toContain('NaN');
    for (const table of document.querySelectorAll('table')) {
      expect(table.querySelector('caption')?.textContent).not.toBe('');
      expect(table.querySelectorAll('th[scope=row]').length).toBe(table.querySelectorAll('tbody tr').length);
    }
    expect(document.documentElement?.getAttribute('lang')).toBe('en');
  });

  test('takes names from files as text', async () => {
    const [plain, hostile] = await Promise.all([make(PLAIN), make(HOSTILE)]);
    const elements = (page: string) => {
      const names = [...parse(page).querySelectorAll('*')].map(({ localName }) => localName);
      return [...new Set(names)].sort();
    };
    expect(elements(hostile)).toEqual(elements(plain));
    const attributes = [...parse(hostile).querySelectorAll('*')].flatMap(({ attributes: own }) => [...own]);
    expect(attributes.filter(({ name }) => name.startsWith('on'))).toEqual([]);
    expect(parse(hostile).body.textContent).toContain(HOSTILE.run);
  });
});

test('the report of a run without epochs, mistakes and one of the classes', async () => {
  const report = await fabricateReport(PLAIN);
  const predictions = report.predictions.filter(({ label }) => label === 0);
  const document = parse(pageOf({ ...report, predictions, history: [], mistakes: [] }));
  const text = document.body.textContent ?? '';
  expect(text).toContain('There is no ROC curve: a class is absent.');
  expect(text).toContain('No image is called wrongly.');
  expect(text).not.toContain('Learning curves');
});

test('the report shows the scores that evaluate gives, and the mistakes as they are named', async () => {
  const report = await fabricateReport(PLAIN);
  const document = parse(pageOf(report));
  const [row] = [...document.querySelectorAll('tbody tr')].map((one) => one.textContent ?? '');
  for (const score of ['accuracy', 'precision', 'recall', 'f1', 'kappa', 'auc'] as const) {
    expect(row).toContain(report.evaluation.images[score]?.toFixed(3));
    expect(row).toContain(report.intervals.images[score]?.low.toFixed(3));
  }
  const mistakes = [...document.querySelectorAll('.mistakes figcaption')].map((one) => one.textContent);
  expect(mistakes).toEqual([
    `${report.mistakes[0]?.image}: probability 0.970, but it is normal`,
    `${report.mistakes[1]?.image}: probability 0.010, but it is abnormal`,
  ]);
  expect(document.querySelectorAll('.mistakes img')).toHaveLength(4);
});

test('html escapes what is no markup, in lists too', () => {
  const inner = html`<b>${'<&"\'>'}</b>`;
  expect(html`<p title="${'"x"'}">${[inner, 'a<b', 3]}</p>`.text).toBe(
    '<p title="&quot;x&quot;"><b>&lt;&amp;&quot;&#39;&gt;</b>a&lt;b3</p>',
  );
});
