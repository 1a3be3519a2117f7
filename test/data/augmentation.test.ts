import { describe, expect, it } from 'vitest';
import { drawAugmentation } from '../../src/data/augmentation.ts';

describe('drawAugmentation', () => {
  it('depends on seed, epoch and image, and on nothing else', () => {
    const first = drawAugmentation(1, 2, 3, 30);
    drawAugmentation(9, 9, 9, 30);
    expect(drawAugmentation(1, 2, 3, 30)).toEqual(first);
    for (const other of [drawAugmentation(2, 2, 3, 30), drawAugmentation(1, 3, 3, 30), drawAugmentation(1, 2, 4, 30)]) {
      expect(other.angle).not.toBe(first.angle);
    }
  });

  it('mirrors half of the images and turns them evenly within the range', () => {
    const drawn = Array.from({ length: 20000 }, (_, image) => drawAugmentation(0, 1, image, 30));
    const flips = drawn.filter(({ flip }) => flip).length;
    // Five standard deviations of a binomial count of 20,000 at 0.5.
    expect(Math.abs(flips - 10000)).toBeLessThan(5 * Math.sqrt(20000 / 4));
    const tenths = new Array<number>(10).fill(0);
    for (const { angle } of drawn) {
      expect(Math.abs(angle)).toBeLessThanOrEqual(30);
      const tenth = Math.min(9, Math.floor((angle + 30) / 6));
      tenths[tenth] = (tenths[tenth] as number) + 1;
    }
    for (const count of tenths) expect(Math.abs(count - 2000)).toBeLessThan(5 * Math.sqrt(20000 * 0.1 * 0.9));
    const mirrored = drawn.filter(({ flip }) => flip).reduce((sum, { angle }) => sum + angle, 0) / flips;
    // The standard deviation of the mean of 10,000 angles uniform in +-30.
    expect(Math.abs(mirrored)).toBeLessThan((5 * 30) / Math.sqrt(3 * 10000));
  });

  it('does not turn where no rotation is allowed', () => {
    expect(Math.abs(drawAugmentation(0, 0, 5, 0).angle)).toBe(0);
  });
});
