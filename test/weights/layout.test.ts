import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { convFromDevice, convToDevice } from '../../src/weights/layout.ts';

const counting = (count: number) => Float32Array.from({ length: count }, (_, index) => index + 1);
const size = (max: number) => fc.integer({ min: 1, max });

describe('conv weights', () => {
  it('puts every element where its indices say, and zeros after the inputs', () => {
    const shape = fc.tuple(size(40), size(20), size(4), size(4), fc.integer({ min: 0, max: 3 }));
    fc.assert(
      fc.property(shape, ([o, i, h, w, padding]) => {
        const inputs = i + padding;
        const weight = counting(o * i * h * w);
        const device = convToDevice(weight, [o, i, h, w], inputs);
        const expected = new Float32Array(h * w * inputs * o);
        for (let row = 0; row < o; row++) {
          for (let input = 0; input < i; input++) {
            for (let y = 0; y < h; y++) {
              for (let x = 0; x < w; x++) {
                const value = weight[((row * i + input) * h + y) * w + x] as number;
                expected[((y * w + x) * inputs + input) * o + row] = value;
              }
            }
          }
        }
        expect(device).toEqual(expected);
        expect(convFromDevice(device, [o, i, h, w], inputs)).toEqual(weight);
      }),
      { numRuns: 60, seed: 5 },
    );
  });

  it('leaves out what the device has in its padding', () => {
    const device = Float32Array.of(1, 2, 9, 9);
    expect(convFromDevice(device, [2, 1, 1, 1], 2)).toEqual(Float32Array.of(1, 2));
  });
});

describe('linear weights, as convolutions of one pixel', () => {
  it('transposes, pads and comes back', () => {
    const weight = Float32Array.of(1, 2, 3, 4, 5, 6);
    expect(convToDevice(weight, [2, 3, 1, 1])).toEqual(Float32Array.of(1, 4, 2, 5, 3, 6));
    expect(convToDevice(weight, [2, 3, 1, 1], 4)).toEqual(Float32Array.of(1, 4, 2, 5, 3, 6, 0, 0));
    expect(convFromDevice(convToDevice(weight, [2, 3, 1, 1], 4), [2, 3, 1, 1], 4)).toEqual(weight);
  });

  it('refuses an array of another length', () => {
    expect(() => convToDevice(new Float32Array(5), [2, 3, 1, 1])).toThrowErrorMatchingInlineSnapshot(
      `[InternalError: internal: layout: conv weight [2, 3, 1, 1] has 5 elements, expected 6]`,
    );
    expect(() => convFromDevice(new Float32Array(6), [2, 3, 1, 1], 4)).toThrowErrorMatchingInlineSnapshot(
      `[InternalError: internal: layout: device conv weight [1, 1, 4, 2] has 6 elements, expected 8]`,
    );
  });
});
