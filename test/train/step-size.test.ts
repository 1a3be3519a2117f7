import { describe, expect, test } from 'vitest';
import { OutOfMemoryError } from '../../src/base/errors.ts';
import {
  checkMicroBatch,
  firstThatFits,
  type StepSize,
  stepSizes,
  type WantedSize,
} from '../../src/train/step-size.ts';

const AUTO: WantedSize = { batchSize: 'auto', microBatch: null };
const sizes = (wanted: WantedSize, images: number): string[] =>
  stepSizes(wanted, images).map(({ batchSize, microBatch }) => `${batchSize}/${microBatch}`);

describe('the sizes that are tried', () => {
  test('auto: 64, 32, 16, and 16 in micro-batches', () => {
    expect(sizes(AUTO, 36_808)).toEqual(['64/64', '32/32', '16/16', '16/8', '16/4', '16/2', '16/1']);
  });

  test('auto takes no more images than there are', () => {
    expect(sizes(AUTO, 64)[0]).toBe('64/64');
    expect(sizes(AUTO, 63)[0]).toBe('32/32');
    expect(sizes(AUTO, 31)).toEqual(['16/16', '16/8', '16/4', '16/2', '16/1']);
  });

  test('a batch has at most all images', () => {
    expect(sizes(AUTO, 10)).toEqual(['10/10', '10/5', '10/2', '10/1']);
    expect(sizes({ batchSize: 16, microBatch: null }, 7)).toEqual(['7/7', '7/1']);
    expect(sizes({ batchSize: 16, microBatch: 16 }, 7)).toEqual(['7/7']);
  });

  test('a given batch in micro-batches that divide it', () => {
    expect(sizes({ batchSize: 12, microBatch: null }, 1000)).toEqual(['12/12', '12/6', '12/4', '12/3', '12/2', '12/1']);
  });

  test('a given micro-batch, and no other', () => {
    expect(sizes({ batchSize: 64, microBatch: 16 }, 1000)).toEqual(['64/16']);
    expect(sizes({ batchSize: 'auto', microBatch: 8 }, 1000)).toEqual(['64/8', '32/8', '16/8']);
  });

  test('a micro-batch that does not divide the batch is refused', () => {
    expect(() => checkMicroBatch({ batchSize: 16, microBatch: 5 })).toThrowErrorMatchingInlineSnapshot(
      `[UserError: --micro-batch 5 does not divide a batch of 16 images: choose one that does]`,
    );
    expect(() => checkMicroBatch({ batchSize: 'auto', microBatch: 3 })).toThrowErrorMatchingInlineSnapshot(
      `[UserError: --micro-batch 3 does not divide a batch of 64 or 32 or 16 images: choose one that does]`,
    );
    expect(() => checkMicroBatch({ batchSize: 'auto', microBatch: 32 })).not.toThrow();
    expect(() => stepSizes({ batchSize: 16, microBatch: 8 }, 12)).toThrowErrorMatchingInlineSnapshot(
      `[UserError: --micro-batch 8 does not divide a batch of 12 images: choose one that does]`,
    );
  });
});

describe('the first that fits', () => {
  const tried = async (fits: (size: StepSize) => boolean, error: (size: StepSize) => Error) => {
    const seen: string[] = [];
    const found = firstThatFits(stepSizes(AUTO, 1000), async (size) => {
      seen.push(`${size.batchSize}/${size.microBatch}`);
      if (!fits(size)) throw error(size);
      return size;
    });
    return { seen, found: await found.catch((thrown: Error) => thrown.message) };
  };
  const full = ({ microBatch }: StepSize) => new OutOfMemoryError(`no room for ${microBatch}`);

  test('is taken', async () => {
    const { seen, found } = await tried(({ microBatch }) => microBatch < 16, full);
    expect(seen).toEqual(['64/64', '32/32', '16/16', '16/8']);
    expect(found).toEqual({ batchSize: 16, microBatch: 8 });
  });

  test('where none does, the last error tells why', async () => {
    expect((await tried(() => false, full)).found).toBe(
      'no room for 1: use a smaller --image-size, --batch-size or --micro-batch',
    );
  });

  test('any other error ends the search', async () => {
    const { seen, found } = await tried(
      () => false,
      () => new Error('broken'),
    );
    expect({ seen, found }).toEqual({ seen: ['64/64'], found: 'broken' });
  });
});
