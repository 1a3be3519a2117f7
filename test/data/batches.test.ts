import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InternalError } from '../../src/base/errors.ts';
import { drawAugmentation } from '../../src/data/augmentation.ts';
import { BatchWriter, evaluationOrder, readAhead, trainingOrder } from '../../src/data/batches.ts';
import { makePacked } from './splits.ts';

const sorted = (batches: readonly Uint32Array[]) => batches.flatMap((batch) => Array.from(batch)).sort((a, b) => a - b);

describe('trainingOrder', () => {
  it('holds each image at most once, in full batches, unless the set is smaller than a batch', () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 20 }), fc.integer());
    fc.assert(
      fc.property(sizes, ([images, batchSize, seed]) => {
        const batches = trainingOrder(images, batchSize, seed, 0);
        const all = sorted(batches);
        expect(new Set(all).size).toBe(all.length);
        expect(all.every((image) => image < images)).toBe(true);
        expect(all.length).toBe(images < batchSize ? images : images - (images % batchSize));
        if (images >= batchSize) expect(batches.every((batch) => batch.length === batchSize)).toBe(true);
        else expect(batches).toHaveLength(1);
      }),
      { seed: 3 },
    );
  });

  it('follows from seed and epoch', () => {
    const order = (seed: number, epoch: number) => trainingOrder(40, 8, seed, epoch).map((batch) => Array.from(batch));
    expect(order(5, 1)).toEqual(order(5, 1));
    expect(order(5, 2)).not.toEqual(order(5, 1));
    expect(order(6, 1)).not.toEqual(order(5, 1));
  });
});

describe('evaluationOrder', () => {
  it('holds every image once, in order', () => {
    const batches = evaluationOrder(10, 4).map((batch) => Array.from(batch));
    expect(batches).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect(evaluationOrder(0, 4)).toEqual([]);
  });
});

describe('BatchWriter', () => {
  it('writes grey and RGB images at multiples of four bytes', async () => {
    const writer = new BatchWriter(makePacked(6, 3, [4]), 3);
    const batch = await writer.write(Uint32Array.of(5, 4, 2));
    expect(Array.from(batch.images)).toEqual([5, 4, 2]);
    expect(Array.from(batch.offsets)).toEqual([0, 12, 40]);
    expect(Array.from(batch.channels)).toEqual([1, 3, 1]);
    expect(Array.from(batch.labels)).toEqual([1, 0, 0]);
    expect(Array.from(batch.flips)).toEqual([0, 0, 0]);
    expect(Array.from(batch.angles)).toEqual([0, 0, 0]);
    const { pixels } = batch;
    expect(pixels.length).toBe(52);
    expect(Array.from(pixels.subarray(0, 9))).toEqual(new Array(9).fill(5));
    expect(Array.from(pixels.subarray(12, 39))).toEqual([4, 5, 6].flatMap((value) => new Array(9).fill(value)));
    expect(Array.from(pixels.subarray(40, 49))).toEqual(new Array(9).fill(2));
  });

  it('augments by image, whatever batch and place it is in', async () => {
    const options = { seed: 3, epoch: 7, maxRotation: 30 };
    const writer = new BatchWriter(makePacked(20, 2), 4);
    const first = await writer.write(Uint32Array.of(11, 0, 19, 6), options);
    const angle = first.angles[2];
    for (const [slot, image] of [11, 0, 19, 6].entries()) {
      const drawn = drawAugmentation(3, 7, image, 30);
      expect(first.flips[slot]).toBe(drawn.flip ? 1 : 0);
      expect(first.angles[slot]).toBe(Math.fround((drawn.angle * Math.PI) / 180));
    }
    expect((await writer.write(Uint32Array.of(19), options)).angles[0]).toBe(angle);
  });

  it('uses the same memory for every batch, and a part of it for a smaller one', async () => {
    const writer = new BatchWriter(makePacked(10, 2), 4);
    const full = await writer.write(Uint32Array.of(0, 1, 2, 3));
    const buffers = Object.values(full).map((array: { buffer: unknown }) => array.buffer);
    const last = await writer.write(Uint32Array.of(8, 9));
    expect(Object.values(last).map((array: { buffer: unknown }) => array.buffer)).toEqual(buffers);
    expect(Object.values(last).every((array: { buffer: unknown }, i) => array.buffer === buffers[i])).toBe(true);
    expect([last.images.length, last.pixels.length, last.labels.length]).toEqual([2, 8, 2]);
    expect(Array.from(last.pixels)).toEqual([8, 8, 8, 8, 9, 9, 9, 9]);
  });

  it('takes back the augmentation where the next batch has none', async () => {
    const writer = new BatchWriter(makePacked(64, 1), 64);
    const all = Uint32Array.from({ length: 64 }, (_, image) => image);
    expect((await writer.write(all, { seed: 0, epoch: 0, maxRotation: 30 })).flips).toContain(1);
    const plain = await writer.write(all);
    expect(new Set([...plain.flips, ...plain.angles])).toEqual(new Set([0]));
  });

  it('refuses more images than the batch holds and images that are not there', async () => {
    const writer = new BatchWriter(makePacked(3, 2), 2);
    await expect(writer.write(Uint32Array.of(0, 1, 2))).rejects.toThrow(InternalError);
    await expect(writer.write(Uint32Array.of(3))).rejects.toThrow(InternalError);
  });
});

describe('readAhead', () => {
  const order = trainingOrder(20, 4, 1, 1);
  const augmentation = { seed: 3, epoch: 1, maxRotation: 30 };

  it('gives what a writer writes, batch by batch', async () => {
    const packed = makePacked(20, 3, [2, 11]);
    const writer = new BatchWriter(packed, 4);
    let at = 0;
    for await (const batch of readAhead(packed, order, 4, augmentation)) {
      const expected = await writer.write(order[at++] as Uint32Array, augmentation);
      const bytes = ({ pixels, offsets, channels }: typeof batch) =>
        Array.from(offsets, (start, slot) => Array.from(pixels.subarray(start, start + 9 * (channels[slot] ?? 0))));
      expect({ ...batch, pixels: bytes(batch) }).toEqual({ ...expected, pixels: bytes(expected) });
    }
    expect(at).toBe(5);
    expect((await readAhead(packed, [], 4).next()).done).toBe(true);
  });

  it('reads one batch ahead of the one in use, and no further', async () => {
    const packed = makePacked(20, 3);
    const asked: number[][] = [];
    const read = packed.pixels.read.bind(packed.pixels);
    packed.pixels.read = (images, ...rest) => {
      asked.push(Array.from(images));
      return read(images, ...rest);
    };
    const batches = readAhead(packed, order, 4);
    const first = await batches.next();
    expect(asked).toEqual(order.slice(0, 2).map((images) => Array.from(images)));
    expect(Array.from(first.value?.images ?? [])).toEqual(asked[0]);
    await batches.next();
    expect(asked).toHaveLength(3);
  });

  it('throws what a read throws where its batch is asked for, and waits for a read that is no longer wanted', async () => {
    const packed = makePacked(20, 3);
    let reads = 0;
    let reading = 0;
    packed.pixels.read = async () => {
      reading++;
      await new Promise((resolve) => setTimeout(resolve, 5));
      reading--;
      if (++reads === 2) throw new Error('the disk is gone');
    };
    const batches = readAhead(packed, order, 4);
    expect((await batches.next()).done).toBe(false);
    await expect(batches.next()).rejects.toThrow('the disk is gone');
    for await (const _ of readAhead(packed, order, 4)) break;
    expect(reading).toBe(0);
  });
});
