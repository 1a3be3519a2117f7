import { describe, expect, it } from 'vitest';
import type { ImageReader } from '../../src/data/packed.ts';
import { summarizeDataset } from '../../src/data/summary.ts';
import { renderSummary } from '../../src/data/summary-text.ts';
import { memoryFiles } from './memory-files.ts';

const WRIST = 'XR_WRIST/patient00001/study1_positive';
const HAND = 'XR_HAND/patient00002/study1_negative';
const VALID = 'XR_WRIST/patient00001/study1_negative';

const LISTS = {
  'here/train_image_paths.csv': `M/train/${WRIST}/image1.png\nM/train/${WRIST}/image2.png\nM/train/${HAND}/image1.png`,
  'here/train_labeled_studies.csv': `M/train/${WRIST}/,1\nM/train/${HAND}/,0`,
  'here/valid_image_paths.csv': `M/valid/${VALID}/image1.png\nM/valid/${VALID}/image2.png\nM/valid/${VALID}/image1.png`,
  'here/valid_labeled_studies.csv': `M/valid/${VALID}/,0`,
};

const IMAGES = {
  [`here/train/${WRIST}/image1.png`]: '',
  [`here/train/${WRIST}/image2.png`]: '',
  [`here/train/${HAND}/image1.png`]: '',
  [`here/valid/${VALID}/image1.png`]: '',
  [`here/valid/${VALID}/image2.png`]: '',
};

/** The n-th image is 100 n x 50 n pixels; the first is RGB; those at `broken` cannot be read. */
function reader(broken: readonly number[] = []): ImageReader {
  return async (_, paths) =>
    paths.map((path, index) => {
      if (broken.includes(index)) return { path, reason: 'truncated PNG' };
      const n = index + 1;
      return { width: 100 * n, height: 50 * n, channels: n === 1 ? 3 : 1 };
    });
}

describe('summarizeDataset', () => {
  it('counts studies and images by region, split and label', async () => {
    const { studies, images } = await summarizeDataset(memoryFiles({ ...LISTS, ...IMAGES }), 'here', reader());
    expect(studies).toEqual({
      XR_HAND: { train: { normal: 1, abnormal: 0 }, valid: { normal: 0, abnormal: 0 }, total: 1 },
      XR_WRIST: { train: { normal: 0, abnormal: 1 }, valid: { normal: 1, abnormal: 0 }, total: 2 },
      all: { train: { normal: 1, abnormal: 1 }, valid: { normal: 1, abnormal: 0 }, total: 3 },
    });
    expect(images.all).toEqual({ train: { normal: 1, abnormal: 2 }, valid: { normal: 2, abnormal: 0 }, total: 5 });
  });

  it('measures the images that can be read', async () => {
    const files = memoryFiles({ ...LISTS, ...IMAGES });
    const all = await summarizeDataset(files, 'here', reader());
    expect(all).toMatchObject({ width: { min: 100, median: 300, max: 500 }, grey: 4, rgb: 1 });
    const some = await summarizeDataset(files, 'here', reader([0]));
    expect(some).toMatchObject({ height: { min: 100, median: 175, max: 250 }, grey: 4, rgb: 0 });
    const none = await summarizeDataset(files, 'here', reader([0, 1, 2, 3, 4]));
    expect([none.width, none.height, none.undecodable.length]).toEqual([undefined, undefined, 5]);
  });

  it('finds missing, unlisted and unreadable files and what the lists repeat', async () => {
    const { [`here/train/${HAND}/image1.png`]: _, ...present } = IMAGES;
    const extra = { [`here/train/${HAND}/image7.png`]: '', [`here/train/${HAND}/._image1.png`]: '' };
    const found = await summarizeDataset(memoryFiles({ ...LISTS, ...present, ...extra }), 'here', reader([3]));
    expect(found.missing).toEqual([`train/${HAND}/image1.png`]);
    expect(found.unlisted).toEqual([`train/${HAND}/image7.png`]);
    expect(found.undecodable).toEqual([{ path: `valid/${VALID}/image2.png`, reason: 'truncated PNG' }]);
    expect(found.problems).toEqual([
      `here/valid_image_paths.csv, line 3: image valid/${VALID}/image1.png is listed twice, counted once`,
      'patients in both train and valid: 1 (patient00001)',
    ]);
  });

  it('reads a folder with one split, and says what a folder with none lacks', async () => {
    const valid = Object.fromEntries(Object.entries(LISTS).filter(([path]) => path.includes('valid')));
    const only = await summarizeDataset(memoryFiles({ ...valid, ...IMAGES }), 'here', reader());
    expect(only.studies.all).toEqual({
      train: { normal: 0, abnormal: 0 },
      valid: { normal: 1, abnormal: 0 },
      total: 1,
    });
    await expect(summarizeDataset(memoryFiles({}), 'here', reader())).rejects.toThrow(
      'here has no train_image_paths.csv',
    );
    const { 'here/train_labeled_studies.csv': _, ...half } = LISTS;
    await expect(summarizeDataset(memoryFiles(half), 'here', reader())).rejects.toThrow(
      'here has no train_labeled_studies.csv',
    );
  });
});

describe('renderSummary', () => {
  it('shows the tables, and that nothing is wrong', async () => {
    const summary = await summarizeDataset(memoryFiles({ ...LISTS, ...IMAGES }), 'here', reader());
    expect(renderSummary({ ...summary, problems: [] })).toMatchInlineSnapshot(`
      "here

      studies  train normal  train abnormal  valid normal  valid abnormal  total
      Hand                1               0             0               0      1
      Wrist               0               1             1               0      2
      all                 1               1             1               0      3

      images  train normal  train abnormal  valid normal  valid abnormal  total
      Hand               1               0             0               0      1
      Wrist              0               2             2               0      4
      all                1               2             2               0      5

      Pixels: width 100 to 500 (median 300), height 50 to 250 (median 150)
      Channels: 4 grey, 1 RGB

      Nothing wrong with its files.
      "
    `);
  });

  it('names ten files of a kind at most', async () => {
    const summary = await summarizeDataset(memoryFiles({ ...LISTS, ...IMAGES }), 'here', reader([0]));
    const missing = Array.from({ length: 1234 }, (_, i) => `image${i}.png`);
    const text = renderSummary({ ...summary, missing });
    expect(text.slice(text.indexOf('Missing'))).toMatchInlineSnapshot(`
      "Missing files: 1,234
        image0.png
        image1.png
        image2.png
        image3.png
        image4.png
        image5.png
        image6.png
        image7.png
        image8.png
        image9.png
        ... and 1,224 more

      Files that cannot be read: 1
        train/XR_WRIST/patient00001/study1_positive/image1.png: truncated PNG

      Oddities of the lists: 2
        here/valid_image_paths.csv, line 3: image valid/XR_WRIST/patient00001/study1_negative/image1.png is listed twice, counted once
        patients in both train and valid: 1 (patient00001)
      "
    `);
  });
});
