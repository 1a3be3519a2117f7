import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import axe from 'axe-core';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../io/temporary.ts';
import { launchChromium } from '../web/chromium.ts';
import { comparisonPage, HOSTILE, PLAIN, runPage } from './fabricated-report.ts';

const PHONE = { width: 360, height: 740 };
const DESK = { width: 1280, height: 800 };

const folder = temporaryFolder();
let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium({ withGpu: false });
});
afterAll(() => browser?.close());

describe.each([
  ['a run', runPage],
  ['a comparison', comparisonPage],
])('the report of %s in a browser', (name, make) => {
  const file = join(folder, `${name}.html`);
  beforeAll(async () => writeFileSync(file, await make(PLAIN)));

  test.each([
    ['light, on a desk', 'light', DESK],
    ['dark, on a phone', 'dark', PHONE],
  ] as const)('%s', async (_, colorScheme, viewport) => {
    const context = await browser.newContext({ colorScheme, viewport, locale: 'en-US' });
    const page = await context.newPage();
    const told: string[] = [];
    page.on('console', (message) => told.push(message.text()));
    page.on('pageerror', (error) => told.push(String(error)));
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(pathToFileURL(file).href);
    expect(requests.filter((url) => !url.startsWith('data:'))).toEqual([pathToFileURL(file).href]);
    expect(told).toEqual([]);
    // Nothing but tables is wider than the screen, and these scroll on their own.
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(viewport.width);
    for (const chart of await page.getByRole('img').all()) {
      const box = await chart.boundingBox();
      expect(box?.width).toBeGreaterThan(100);
    }
    await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true");
    await page.evaluate(axe.source);
    const { violations } = (await page.evaluate('axe.run()')) as {
      violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
    };
    expect(violations.map(({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => node.failureSummary)])).toEqual([]);
    await context.close();
  });

  test('names from files are no markup to it', async () => {
    const page = await browser.newPage();
    const dialogs: string[] = [];
    page.on('dialog', (dialog) => {
      dialogs.push(dialog.message());
      return dialog.dismiss();
    });
    writeFileSync(join(folder, 'hostile.html'), await make(HOSTILE));
    await page.goto(pathToFileURL(join(folder, 'hostile.html')).href);
    expect(
      await page.evaluate("document.querySelectorAll('script, [onerror], [onload], img:not([src^=data])').length"),
    ).toBe(0);
    expect(await page.evaluate('document.body.textContent')).toContain(HOSTILE.run);
    expect(dialogs).toEqual([]);
    await page.close();
  });
});
