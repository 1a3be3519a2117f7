import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { nodeDecoder } from '../../src/io/node-png.ts';
import { findModel } from '../../src/models/index.ts';
import { Inference } from '../../src/models/inference.ts';
import { Model } from '../../src/models/model.ts';
import { parseWeightsFile } from '../../src/models/weights-file.ts';
import { predictImage } from '../../src/train/predict-image.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { openTestDevice } from '../support/device.ts';
import { closeClean, downloadBy, probabilities, readAt, useApp, type WatchedPage } from './app.ts';
import { jpegPicture, type PictureFile, pngPicture } from './pictures.ts';

const WEIGHTS = fileURLToPath(new URL('../../weights/densenet121-phantom-160px.safetensors', import.meta.url));
const WEIGHTS_64 = WEIGHTS.replace('160px', '64px');
const KEPT = basename(WEIGHTS_64);
const NUMBERED = KEPT.replace('.', ' (2).');
/** Read at this size where no test is about sizes: SwiftShader takes half a second for it. */
const SIZE = 64;
/** What Node and the browser may differ by: another driver sums in another order. */
const CLOSE = 1e-4;

/** What Node says of files with the weights that come with the page, on the adapter of this test run. */
async function readInNode(files: readonly PictureFile[]) {
  const device = await openTestDevice();
  const weights = parseWeightsFile('weights', readFileSync(WEIGHTS));
  const model = new Model(device, findModel('densenet121'), { initialise: false });
  model.load(weights.file, weights.tensors, weights.normalisation);
  const inference = await Inference.create(model, { batchSize: 1, imageSize: SIZE, cam: true });
  const found = [];
  for (const { name, buffer } of files) {
    const image = await nodeDecoder.decode(buffer, name);
    const { probability, cam } = await predictImage(inference, image, () => true);
    if (cam) found.push({ probability, cam });
  }
  await inference.destroy();
  model.destroy();
  device.destroy();
  return found;
}

const app = useApp();
const files: PictureFile[] = [];

beforeAll(async () => {
  files.push(await pngPicture(0), jpegPicture(1), await pngPicture(2));
});

/** Opens the page and has it read at SIZE. */
async function openReady(): Promise<WatchedPage> {
  const opened = await app().open();
  await readAt(opened.page, SIZE);
  return opened;
}

async function read({ page }: WatchedPage, ...chosen: readonly PictureFile[]): Promise<void> {
  await page.setInputFiles('#images', [...chosen]);
  await page
    .locator('#readings li')
    .nth(chosen.length - 1)
    .waitFor();
}

test('PNG and JPEG give the probability and the map that Node gives', async () => {
  const opened = await openReady();
  const { page } = opened;
  const chosen = files.slice(0, 2);
  await read(opened, ...chosen);
  const expected = await readInNode(chosen);
  const saved = JSON.parse(new TextDecoder().decode((await downloadBy(page, '#save-result')).bytes));
  expect(saved).toMatchObject({
    model: 'densenet121',
    image_size: SIZE,
    images: chosen.map(({ name }) => ({ image: name })),
  });
  for (const [index, { probability, cam }] of expected.entries()) {
    const { probability: own, class_activation_map: map } = saved.images[index];
    expect(Math.abs(own - probability)).toBeLessThan(CLOSE);
    expect([map.width, map.height]).toEqual([cam.mapWidth, cam.mapHeight]);
    const differences = [...cam.map].map((value, at) => Math.abs(value - map.values[at]));
    expect(Math.max(...differences)).toBeLessThan(CLOSE);
    await page.locator('#readings button').nth(index).click();
    const { name, bytes } = await downloadBy(page, '#save-overlay');
    expect(name).toBe(`picture${index}-map.png`);
    const overlay = await nodeDecoder.decode(bytes, name);
    const wrong = overlay.data.filter((value, at) => {
      const pixel = Math.floor(at / 3);
      return Math.abs(value - (cam.rgba[4 * pixel + (at % 3)] as number)) > 1;
    });
    expect(wrong.length).toBe(0);
  }
  const mean = expected.reduce((sum, { probability }) => sum + probability, 0) / expected.length;
  expect(Math.abs(Number(await page.locator('#probability').getAttribute('value')) - mean)).toBeLessThan(CLOSE);
  await closeClean(opened);
});

describeOnFastAdapter('the page that reads', () => {
  test('takes files that are dropped, tells which are broken and reads the others', async () => {
    const opened = await openReady();
    const { page } = opened;
    const broken = (files[0] as PictureFile).buffer.subarray(0, 300);
    const dropped = [
      { name: 'whole.jpg', bytes: [...(files[1] as PictureFile).buffer] },
      { name: 'broken.png', bytes: [...broken] },
      { name: 'notes.txt', bytes: [104, 105] },
    ];
    await page.evaluate((all) => {
      const dataTransfer = new DataTransfer();
      for (const { name, bytes } of all) dataTransfer.items.add(new File([new Uint8Array(bytes)], name));
      document.querySelector('#drop')?.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true }));
    }, dropped);
    await page.locator('#readings li').waitFor();
    expect(await page.locator('#readings .name').allTextContents()).toEqual(['whole.jpg']);
    expect(await page.textContent('#notice')).toBe(
      'Could not be read: broken.png: truncated PNG: ends after 300 bytes; notes.txt: not a PNG or JPEG file',
    );
    await closeClean(opened);
  });

  test('judges by the operating point, which it remembers', async () => {
    const opened = await openReady();
    const { page } = opened;
    await read(opened, files[0] as PictureFile);
    const [probability = 0] = await probabilities(page);
    const point = (share: number) => page.locator('#threshold').fill(String(Math.round(100 * share)));
    await point(Math.min(0.99, probability + 0.02));
    expect(await page.textContent('#verdict')).toMatch(/^Normal /);
    await point(Math.max(0.01, probability - 0.02));
    expect(await page.textContent('#verdict')).toMatch(/^Abnormal /);
    const chosen = await page.inputValue('#threshold');
    await page.reload();
    expect(await page.inputValue('#threshold')).toBe(chosen);
    await closeClean(opened);
  });

  test('zooms, moves, hides the map and steps through a study by keys', async () => {
    const opened = await openReady();
    const { page } = opened;
    await read(opened, files[0] as PictureFile, files[2] as PictureFile);
    const style = (name: 'transform' | 'opacity', selector: string) =>
      page.locator(selector).evaluate((element, property) => (element as HTMLElement).style[property], name);
    await page.focus('.stage');
    await page.keyboard.press('+');
    await page.keyboard.press('ArrowLeft');
    expect(await style('transform', '.stage .content')).toMatch(/scale\(1\.25\)$/);
    await page.keyboard.press('0');
    expect(await style('transform', '.stage .content')).toBe('translate(0px, 0px) scale(1)');
    expect(await style('opacity', '.overlay')).toBe('1');
    await page.keyboard.press('o');
    expect(await style('opacity', '.overlay')).toBe('0');
    await page.keyboard.press('o');
    await page.locator('#opacity').fill('40');
    expect(await style('opacity', '.overlay')).toBe('0.4');
    await page.focus('.stage');
    await page.keyboard.press(']');
    expect(await page.getAttribute('.original', 'alt')).toBe('picture2.png');
    await page.keyboard.press('[');
    expect(await page.getAttribute('.original', 'alt')).toBe('picture0.png');
    await closeClean(opened);
  });

  test("keeps the person's own weights, and refuses what is none", async () => {
    const opened = await app().open();
    const { page } = opened;
    await page.getByText('reads at 160 px').waitFor();
    const garbage = { name: 'notes.pth', mimeType: 'application/octet-stream', buffer: Buffer.from('no weights') };
    await page.setInputFiles('#own-weights', garbage);
    await page.getByText('notes.pth: 10 bytes beginning with').waitFor();
    await page.getByText('reads at 160 px').waitFor();
    await page.setInputFiles('#own-weights', WEIGHTS_64);
    await page.locator('#remove-weights').waitFor({ state: 'visible' });
    expect(await page.textContent('#weights-facts')).toBe(
      'DenseNet 121, reads at 64 px; your own file, kept in this browser.',
    );
    await read(opened, files[0] as PictureFile);
    const before = await probabilities(page);
    await page.setInputFiles('#own-weights', { ...garbage, name: KEPT });
    await page.getByText(`${NUMBERED}: 10 bytes beginning with`).waitFor();
    await page.reload();
    await page.getByText('your own file, kept').waitFor();
    const kept = () => page.locator('#weights option').allTextContents();
    expect(await kept()).toEqual([expect.stringMatching(/^Bundled/), KEPT]);
    await read(opened, files[0] as PictureFile);
    expect(await probabilities(page)).toEqual(before);
    await page.setInputFiles('#own-weights', { ...garbage, name: KEPT, buffer: readFileSync(WEIGHTS) });
    await page.locator('#weights option').nth(2).waitFor({ state: 'attached' });
    expect((await kept()).slice(1).sort()).toEqual([NUMBERED, KEPT].sort());
    expect(await page.inputValue('#weights')).toBe(NUMBERED);
    for (let left = 2; left > 0; left--) {
      if (left === 1) await page.selectOption('#weights', KEPT);
      await page.getByText('your own file, kept').waitFor();
      await page.click('#remove-weights');
      await page.getByText('reads at 160 px; trained').waitFor();
      await page.locator('#weights option').nth(left).waitFor({ state: 'detached' });
    }
    await closeClean(opened);
  });

  test('says why it reads nothing where no weights could be loaded, until there are some', async () => {
    const { page } = await app().open('', { serviceWorkers: 'block' });
    await page.route('**/*.safetensors', (route) => route.fulfill({ status: 404 }));
    await page.reload();
    await page.getByText('No weights are loaded.').waitFor();
    await page.setInputFiles('#images', files[0] as PictureFile);
    await page.getByText('Could not be read: the bundled weights could not be loaded (404)').waitFor();
    expect(await page.locator('progress:visible').count()).toBe(0);
    await page.setInputFiles('#own-weights', WEIGHTS_64);
    await page.locator('#readings li').waitFor();
    expect(await page.textContent('#notice')).toBe('');
    await page.context().close();
  });

  test('reads a first sample at 224 px within 20 s, and answers meanwhile', async () => {
    const opened = await app().open();
    const { page } = opened;
    await readAt(page, 224);
    await page.evaluate(() => {
      const gaps: number[] = [];
      let last = performance.now();
      setInterval(() => {
        const now = performance.now();
        gaps.push(now - last);
        last = now;
      }, 10);
      Object.assign(globalThis, { gaps });
    });
    const start = performance.now();
    await page.click('#sample-wrist-implant');
    await page.getByText('1 of 2').waitFor();
    expect((performance.now() - start) / 1000).toBeLessThan(20);
    const gaps = await page.evaluate(() => (globalThis as unknown as { gaps: number[] }).gaps);
    const sum = (values: readonly number[]) => values.reduce((total, one) => total + one, 0);
    // Two cores run the browser, its software GPU and whatever else: now and then the page has to wait for one.
    expect(sum(gaps.filter((gap) => gap > 100)) / sum(gaps)).toBeLessThan(0.25);
    await closeClean(opened);
  });

  test('reads image after image without taking more memory', async () => {
    const opened = await openReady();
    const { page } = opened;
    const some = (count: number) =>
      Array.from({ length: count }, (_, at) => ({ ...(files[0] as PictureFile), name: `${at}.png` }));
    await read(opened, ...some(3));
    const bytes = () => page.getAttribute('#readings', 'data-gpu-bytes');
    const before = await bytes();
    await read(opened, ...some(12));
    expect(await bytes()).toBe(before);
    expect(Number(before)).toBeGreaterThan(0);
    await closeClean(opened);
  });

  test('reads on where the GPU is reset while it reads', async () => {
    const opened = await openReady();
    const { page } = opened;
    const session = await app().browser.newBrowserCDPSession();
    await page.setInputFiles('#images', files);
    await page.getByText(/[12] of 3/).waitFor();
    await session.send('Browser.crashGpuProcess');
    await page.getByText('The GPU was reset').waitFor();
    await page.locator('#readings li').nth(2).waitFor();
    const recovered = await probabilities(page);
    await read(opened, ...files);
    expect(await probabilities(page)).toEqual(recovered);
    await page.context().close();
  });
});
