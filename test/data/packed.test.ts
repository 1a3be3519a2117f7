import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { type ImageLoader, memoryPixels, type PackedSplit, packSplit } from '../../src/data/packed.ts';
import { makeSplit } from './splits.ts';

/** A loader to which the images at `broken` are unreadable; image i has pixels of value i, and image 1 is RGB. */
function loader(broken: readonly number[]): ImageLoader {
  return async (_, paths, size, onProgress) => {
    onProgress?.(paths.length, paths.length);
    const channels = (index: number) => (index === 1 ? 3 : 1);
    return {
      images: paths.map((path, index) =>
        broken.includes(index) ? { path, reason: 'truncated PNG' } : { channels: channels(index) },
      ),
      pixels: memoryPixels(paths.map((_, index) => new Uint8Array(channels(index) * size * size).fill(index))),
    };
  };
}

/** The value of an image's pixels, which fill its planes and no more. */
async function pixelOf({ pixels, channels, size }: PackedSplit, image: number): Promise<number> {
  const bytes = (channels[image] ?? 0) * size * size;
  const target = new Uint8Array(bytes + 2).fill(255);
  await pixels.read(Uint32Array.of(image), target, Uint32Array.of(1));
  expect([target[0], target.at(-1)]).toEqual([255, 255]);
  expect(new Set(target.subarray(1, -1)).size).toBe(1);
  return target[1] as number;
}

describe('packSplit', () => {
  it('keeps records, pixels and channels in step', async () => {
    const progress: number[][] = [];
    const packed = await packSplit('dir', makeSplit(3), 2, loader([]), (...both) => progress.push(both));
    expect(packed.size).toBe(2);
    expect(packed.split).toEqual(makeSplit(3));
    expect(await Promise.all([0, 1, 2].map((image) => pixelOf(packed, image)))).toEqual([0, 1, 2]);
    expect(Array.from(packed.channels)).toEqual([1, 3, 1]);
    expect(packed.failed).toEqual([]);
    expect(progress).toEqual([[3, 3]]);
  });

  it('leaves out and names 1 % of unreadable images', async () => {
    const packed = await packSplit('dir', makeSplit(200), 2, loader([0, 7]));
    expect(packed.failed).toEqual([
      { path: 'train/XR_HAND/patient0/study1/image1.png', reason: 'truncated PNG' },
      { path: 'train/XR_HAND/patient7/study1/image1.png', reason: 'truncated PNG' },
    ]);
    expect([packed.split.images.length, packed.channels.length, packed.split.studies.length]).toEqual([198, 198, 198]);
    for (const [index, image] of packed.split.images.entries()) {
      expect(image.path).toContain(`/patient${await pixelOf(packed, index)}/`);
      expect(packed.split.studies[image.study]).toMatchObject({ patient: image.patient, images: [index] });
    }
    expect(packed.channels[0]).toBe(3);
  });

  it('refuses more than 1 %, naming the first five', async () => {
    const few = packSplit('dir', makeSplit(199), 2, loader([3, 7]));
    await expect(few).rejects.toThrow(UserError);
    await expect(few).rejects.toThrowErrorMatchingInlineSnapshot(
      `[UserError: 2 of 199 images of train cannot be read, expected at most 1: train/XR_HAND/patient3/study1/image1.png (truncated PNG), train/XR_HAND/patient7/study1/image1.png (truncated PNG)]`,
    );
    const many = packSplit('dir', makeSplit(7), 2, loader([0, 1, 2, 3, 4, 5, 6]));
    await expect(many).rejects.toThrow(/patient0\/.*patient4\/study1\/image1.png \(truncated PNG\), \.\.\.$/);
    await expect(many).rejects.not.toThrow(/patient5/);
  });

  it.each([2, 7, 99])('bears one unreadable image of %i, and no second one', async (count) => {
    const { failed, channels } = await packSplit('dir', makeSplit(count), 2, loader([1]));
    expect([failed.map(({ path }) => path), channels.length]).toEqual([
      ['train/XR_HAND/patient1/study1/image1.png'],
      count - 1,
    ]);
    const two = packSplit('dir', makeSplit(count), 2, loader([0, 1]));
    await expect(two).rejects.toThrow(`2 of ${count} images of train cannot be read, expected at most 1: `);
  });

  it('refuses a split of which nothing is left, but not an empty one', async () => {
    const only = packSplit('dir', makeSplit(1), 2, loader([0]));
    await expect(only).rejects.toThrow('1 of 1 images of train cannot be read, expected at most 0: ');
    expect((await packSplit('dir', makeSplit(0), 2, loader([]))).channels).toEqual(new Uint8Array());
  });
});
