import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { findModel } from '../../src/models/index.ts';
import { Model } from '../../src/models/model.ts';
import { parseWeightsFile } from '../../src/models/weights-file.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { useDevice } from '../support/use-device.ts';
import { closeClean, downloadBy, probabilities, readAt, useApp } from './app.ts';
import { serveSite } from './site.ts';

const app = useApp();
const KILOBYTE = 1000;

test('the page without weights and samples is smaller than 300 kB, gzipped', () => {
  const code = readdirSync(app().folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(html|js|css|webmanifest|svg)$/.test(name),
  );
  const bytes = code.map((name) => gzipSync(readFileSync(join(app().folder, name))).length);
  expect(bytes.reduce((sum, one) => sum + one, 0)).toBeLessThan(300 * KILOBYTE);
});

test.each([
  ['without WebGPU', false, 'this browser has no WebGPU'],
  ['without an adapter', true, 'this browser has WebGPU but no adapter for it'],
])('%s the page says so, and which browsers have it', async (_, hasGpu, reason) => {
  const context = await app().browser.newContext({ locale: 'en-US' });
  await context.addInitScript((given) => {
    const found = given ? { requestAdapter: async () => null } : undefined;
    Object.defineProperty(Navigator.prototype, 'gpu', { get: () => found });
  }, hasGpu);
  const opened = await app().openIn(context);
  await opened.page.getByRole('heading', { name: 'This page needs WebGPU' }).waitFor();
  const text = await opened.page.textContent('#main');
  expect(text).toContain(`It cannot run here: ${reason}`);
  expect(text).toContain('Safari 26 and newer');
  expect(await opened.page.textContent('.warning')).toContain('Not a medical device.');
  await closeClean(opened);
});

describeOnFastAdapter('offline', () => {
  test('a second visit needs no server', async () => {
    const own = await serveSite(app().folder);
    const context = await app().browser.newContext({ locale: 'en-US' });
    const page = await context.newPage();
    await page.goto(own.address);
    await page.evaluate(async () => {
      await navigator.serviceWorker.ready;
    });
    await own.close();
    await page.reload();
    await readAt(page, 64);
    await page.click('#sample-hand-normal');
    await page.locator('#readings li').nth(1).waitFor();
    expect((await probabilities(page)).every((one) => one > 0 && one < 1)).toBe(true);
    await context.close();
  });
});

describeOnFastAdapter('accessibility', () => {
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

  test.each(['light', 'dark'] as const)(
    'axe-core finds no fault in %s mode, on a phone either',
    async (colorScheme) => {
      const viewport = colorScheme === 'dark' ? { width: 390, height: 844 } : { width: 1280, height: 900 };
      const opened = await app().open('', { colorScheme, viewport, bypassCSP: true });
      const { page } = opened;
      await readAt(page, 64);
      await page.click('#sample-wrist-implant');
      await page.locator('#readings li').nth(1).waitFor();
      for (const id of ['read', 'train', 'bench', 'verify']) {
        await page.goto(`${app().site.address}#${id}`);
        await page.locator(`#pages a[href="#${id}"][aria-current]`).waitFor();
        await page.evaluate(axe);
        const violations = await page.evaluate(async () => {
          const { run } = (globalThis as unknown as { axe: typeof import('axe-core') }).axe;
          return (await run()).violations.map((one) => `${one.impact} ${one.id}: ${one.nodes.map(({ html }) => html)}`);
        });
        expect(violations, id).toEqual([]);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(overflow, `${id} is not wider than the window`).toBeLessThanOrEqual(0);
      }
      await closeClean(opened);
    },
  );
});

describeOnFastAdapter('the page', () => {
  test('that verifies runs the cases of an op on every variant that fits', async () => {
    const opened = await app().open('#verify');
    const { page } = opened;
    await page.selectOption('#verify-op', 'class_activation_map');
    await page.click('#verify-start');
    await page.getByText(/^All \d+ cases agree with their float64 references\.$/).waitFor();
    expect(await page.locator('#verify-ops tr').allTextContents()).toEqual([
      expect.stringMatching(/^class_activation_map\d+pixelsagrees$/),
    ]);
    expect(await page.locator('#verify-op option').count()).toBeGreaterThan(20);
    await closeClean(opened);
  });

  test('that measures shows the adapter and gives JSON in the form of bench/results', async () => {
    const opened = await app().open('#bench');
    const { page } = opened;
    await page.selectOption('#bench-kernels', '32');
    await page.click('#bench-start');
    await page.locator('#bench-save').waitFor({ state: 'visible', timeout: 90_000 });
    const { name, bytes } = await downloadBy(page, '#bench-save');
    expect(name).toBe('murad-bench.json');
    const report = JSON.parse(new TextDecoder().decode(bytes));
    const positive = expect.toSatisfy((value) => value > 0);
    expect(report).toMatchObject({
      conditions: {
        adapter: 'google swiftshader',
        kind: 'embedded',
        version: expect.stringMatching(/^\d/),
        cores: positive,
      },
      model: 'densenet121',
      image_size: 32,
      peaks: { gflops_f32: positive, gb_per_s: positive },
      inference: [{ image_size: 64, batch_size: 1, median_ms: positive, gflops: positive, planned_bytes: positive }],
    });
    expect(report.kernels.length).toBeGreaterThan(100);
    for (const kernel of report.kernels)
      expect(kernel).toMatchObject({ used: true, gflops: positive, median_ms: positive });
    expect(await page.textContent('#bench-result')).toContain('64 px');
    await closeClean(opened);
  });
});

describeOnFastAdapter('training in the page', () => {
  const device = useDevice();

  test('lowers the loss, stops, goes on and gives weights that Node loads', async () => {
    const opened = await app().open('#train');
    const { page } = opened;
    const choices = { size: '32', studies: '8', batch: '4', epochs: '2', rate: '1e-3' };
    for (const [name, value] of Object.entries(choices)) await page.selectOption(`#train-${name}`, value);
    await page.selectOption('#train-from', 'loaded');
    await page.click('#train-start');
    await page.getByText('no weights are loaded yet').waitFor();
    await page.selectOption('#train-from', 'fresh');
    await page.click('#train-start');
    await page.locator('#train-save').waitFor({ state: 'visible', timeout: 90_000 });
    const losses = async () => {
      const lines = await page.locator('#train-log li').allTextContents();
      return lines.map((line) => Number(/training loss ([\d.]+)/.exec(line)?.[1]));
    };
    const [first = 0, second = 1] = await losses();
    expect(second).toBeLessThan(first);
    expect(await page.locator('#train-pictures img').count()).toBe(3);
    expect(await page.getAttribute('.chart', 'aria-label')).toMatch(/^Loss by step: 0\.\d+ after \d+ steps$/);
    await page.selectOption('#train-epochs', '20');
    await page.click('#train-continue');
    await page.getByText('Epoch 3: training').waitFor();
    await page.click('#train-stop');
    await page.locator('#train-continue').waitFor({ state: 'visible' });
    const epochs = (await losses()).length;
    expect(epochs).toBeLessThan(22);
    const { name, bytes } = await downloadBy(page, '#train-save');
    expect(name).toBe(`densenet121-phantom-32px-epoch${epochs}.safetensors`);
    const weights = parseWeightsFile(name, bytes);
    expect(weights).toMatchObject({ model: 'densenet121', imageSize: 32, normalisation: 'imagenet' });
    const model = new Model(device(), findModel('densenet121'), { initialise: false });
    expect(model.load(name, weights.tensors, weights.normalisation).notes).toEqual([]);
    expect(model.batchesTracked).toBeGreaterThan(2 * epochs);
    model.destroy();
    await closeClean(opened);
  });
});
