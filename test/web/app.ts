import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import { launchChromium } from './chromium.ts';
import { buildSite, type Site, serveSite } from './site.ts';

/** A page and what went wrong on it: errors on its console, requests to another origin, requests that failed. */
export interface WatchedPage {
  readonly page: Page;
  readonly faults: readonly string[];
}

/** The built page on its host, and a browser to open it with. */
export class App {
  readonly folder: string;
  readonly browser: Browser;
  site: Site;

  constructor(folder: string, browser: Browser, site: Site) {
    this.folder = folder;
    this.browser = browser;
    this.site = site;
  }

  /** Opens the page in a context of its own, `hash` names which. */
  async open(hash = '', options: Parameters<Browser['newContext']>[0] = {}): Promise<WatchedPage> {
    const context = await this.browser.newContext({ locale: 'en-US', acceptDownloads: true, ...options });
    return this.openIn(context, hash);
  }

  async openIn(context: BrowserContext, hash = ''): Promise<WatchedPage> {
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    const faults: string[] = [];
    const { origin } = new URL(this.site.address);
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) faults.push(message.text());
    });
    page.on('requestfailed', (request) => faults.push(`${request.url()}: ${request.failure()?.errorText}`));
    context.on('request', (request) => {
      const url = new URL(request.url());
      if (url.protocol !== 'blob:' && url.origin !== origin) faults.push(`a request to ${url}`);
    });
    await page.goto(this.site.address + hash);
    return { page, faults };
  }
}

/** Builds and serves the page and starts a browser before the tests of a file. */
export function useApp(): () => App {
  let app: App | undefined;
  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'murad-web-'));
    const [browser] = await Promise.all([launchChromium(), buildSite(folder)]);
    app = new App(folder, browser, await serveSite(folder));
  });
  afterAll(async () => {
    await app?.browser.close();
    await app?.site.close();
    if (app) rmSync(app.folder, { recursive: true, force: true });
  });
  return () => {
    if (!app) throw new Error('the page is built before the first test');
    return app;
  };
}

/** Clicks what offers a file and gives its bytes and name. */
export async function downloadBy(page: Page, selector: string): Promise<{ name: string; bytes: Uint8Array }> {
  const [download] = await Promise.all([page.waitForEvent('download'), page.click(selector)]);
  return { name: download.suggestedFilename(), bytes: new Uint8Array(await readFile(await download.path())) };
}

/** Chooses the size that images are read at, and waits until the network is ready. */
export async function readAt(page: Page, size: number): Promise<void> {
  await page.selectOption('#image-size', String(size));
  await page.getByText(`reads at ${size} px`).waitFor();
}

/** The probabilities that the page shows, image by image. */
export async function probabilities(page: Page): Promise<number[]> {
  const values = await page.locator('#readings data').evaluateAll((all) => all.map((one) => one.getAttribute('value')));
  return values.map(Number);
}

/** Closes a page that had no fault. */
export async function closeClean({ page, faults }: WatchedPage): Promise<void> {
  expect(faults).toEqual([]);
  await page.context().close();
}
