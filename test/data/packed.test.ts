import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { type ImageReader, packSplit } from '../../src/data/packed.ts';
import { makeSplit } from './splits.ts';

/** A reader to which the images at `broken` are unreadable; image i has pixels of value i, and image 1 is RGB. */
function reader(broken: readonly number[]): ImageReader {
  return async (_, paths, { size = 0, onProgress } = {}) => {
    onProgress?.(paths.length, paths.length);
    return paths.map((path, index) => {
      if (broken.includes(index)) return { path, reason: 'truncated PNG' };
      const channels = index === 1 ? 3 : 1;
      return { width: 9, height: 9, channels, pixels: new Uint8Array(channels * size * size).fill(index) };
    });
  };
}

describe('packSplit', () => {
  it('keeps records, pixels and channels in step', async () => {
    const progress: number[][] = [];
    const packed = await packSplit('dir', makeSplit(3), 2, reader([]), (...both) => progress.push(both));
    expect(packed.size).toBe(2);
    expect(packed.split).toEqual(makeSplit(3));
    expect(packed.pixels.map((image) => [image.length, image[0]])).toEqual([
      [4, 0],
      [12, 1],
      [4, 2],
    ]);
    expect(Array.from(packed.channels)).toEqual([1, 3, 1]);
    expect(packed.failed).toEqual([]);
    expect(progress).toEqual([[3, 3]]);
  });

  it('leaves out and names 1 % of unreadable images', async () => {
    const packed = await packSplit('dir', makeSplit(200), 2, reader([0, 7]));
    expect(packed.failed).toEqual([
      { path: 'train/XR_HAND/patient0/study1/image1.png', reason: 'truncated PNG' },
      { path: 'train/XR_HAND/patient7/study1/image1.png', reason: 'truncated PNG' },
    ]);
    expect([packed.pixels.length, packed.channels.length, packed.split.studies.length]).toEqual([198, 198, 198]);
    for (const [index, image] of packed.split.images.entries()) {
      expect(image.path).toContain(`/patient${packed.pixels[index]?.[0]}/`);
      expect(packed.split.studies[image.study]).toMatchObject({ patient: image.patient, images: [index] });
    }
    expect(packed.channels[0]).toBe(3);
  });

  it('refuses more than 1 %, naming the first five', async () => {
    const few = packSplit('dir', makeSplit(199), 2, reader([3, 7]));
    await expect(few).rejects.toThrow(UserError);
    await expect(few).rejects.toThrowErrorMatchingInlineSnapshot(
      `[UserError: 2 of 199 images of train cannot be read, expected at most 1: train/XR_HAND/patient3/study1/image1.png (truncated PNG), train/XR_HAND/patient7/study1/image1.png (truncated PNG)]`,
    );
    const many = packSplit('dir', makeSplit(7), 2, reader([0, 1, 2, 3, 4, 5, 6]));
    await expect(many).rejects.toThrow(/patient0\/.*patient4\/study1\/image1.png \(truncated PNG\), \.\.\.$/);
    await expect(many).rejects.not.toThrow(/patient5/);
  });

  it.each([2, 7, 99])('bears one unreadable image of %i, and no second one', async (count) => {
    const { failed, pixels } = await packSplit('dir', makeSplit(count), 2, reader([1]));
    expect([failed.map(({ path }) => path), pixels.length]).toEqual([
      ['train/XR_HAND/patient1/study1/image1.png'],
      count - 1,
    ]);
    const two = packSplit('dir', makeSplit(count), 2, reader([0, 1]));
    await expect(two).rejects.toThrow(`2 of ${count} images of train cannot be read, expected at most 1: `);
  });

  it('refuses a split of which nothing is left, but not an empty one', async () => {
    const only = packSplit('dir', makeSplit(1), 2, reader([0]));
    await expect(only).rejects.toThrow('1 of 1 images of train cannot be read, expected at most 0: ');
    expect((await packSplit('dir', makeSplit(0), 2, reader([]))).pixels).toEqual([]);
  });
});
