import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ClassActivationMap, drawClassActivationMap, type Picture } from '../../src/models/cam.ts';
import { findModel } from '../../src/models/index.ts';
import type { Model } from '../../src/models/model.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { dot, formulaInput } from '../support/formula.ts';
import { readGolden } from '../support/golden.ts';
import { useDevice } from '../support/use-device.ts';
import { evaluate, type Fixture, formulaModel } from './fixture.ts';

interface Size {
  logits: number[];
  feature_shape: [number, number, number, number];
  /** One map an image, row by row. */
  map: number[][][];
  upsampled_image_0?: number[][];
  upsampled_image_0_every_16th?: number[][];
  upsampled_min: number[];
  upsampled_max: number[];
  upsampled_dot: number[];
}

const golden = readGolden<{ gain: number } & Record<string, Size>>('cam_densenet121.json');
/** Largest distance of PyTorch's float32 logits from float64 in this network at 64 px. */
const { noise } = readGolden<Fixture>('networks/densenet121.json.gz').eval;
const IMAGES = 2;
const OPACITY = 0.6;
/** The colour map's polynomial at 1: red, green, blue. */
const HOTTEST = [0.565856, 0.050389, 0];
const device = useDevice();

/** A picture of grey steps; of three planes, each with other steps. */
function pictureOf(width: number, height: number, channels: 1 | 3): Picture {
  const area = width * height;
  const planes = Uint8Array.from({ length: area * channels }, (_, at) => (at * 7 + Math.floor(at / area) * 50) % 256);
  return { width, height, channels, planes };
}

/** Bilinear, as torch.nn.functional.interpolate without align_corners. */
function upsample(map: readonly number[][], width: number, height: number): number[] {
  const along = (at: number, size: number, small: number) => {
    const position = Math.max(0, ((at + 0.5) * small) / size - 0.5);
    const first = Math.floor(position);
    return { first, second: Math.min(first + 1, small - 1), share: position - first };
  };
  const at = (row: number, column: number) => map[row]?.[column] as number;
  return Array.from({ length: width * height }, (_, index) => {
    const y = along(Math.floor(index / width), height, map.length);
    const x = along(index % width, width, map[0]?.length ?? 0);
    const top = at(y.first, x.first) * (1 - x.share) + at(y.first, x.second) * x.share;
    const bottom = at(y.second, x.first) * (1 - x.share) + at(y.second, x.second) * x.share;
    return top * (1 - y.share) + bottom * y.share;
  });
}

const largestDifference = (values: ArrayLike<number>, expected: readonly number[]): number =>
  Math.max(...expected.map((value, index) => Math.abs((values[index] ?? Number.NaN) - value)));

const pixelOf = ({ rgba }: ClassActivationMap, index: number) => [...rgba.subarray(4 * index, 4 * index + 4)];

describeOnFastAdapter('class activation maps of DenseNet-121', () => {
  let model: Model;
  beforeAll(() => {
    model = formulaModel(device(), findModel('densenet121'), golden.gain);
  });
  afterAll(() => model.destroy());

  describe.each([64, 160])('at %i px', (size) => {
    const expected = golden[`size_${size}`] as Size;
    const [, , mapHeight, mapWidth] = expected.feature_shape;
    // A logit is the mean of a map, and independent errors of n values are sqrt(n) times those of their mean.
    const tolerance = 10 * noise.logits * Math.sqrt(mapHeight * mapWidth);
    let run: Awaited<ReturnType<typeof evaluate>>;
    beforeAll(async () => {
      const shape = [IMAGES, 3, size, size];
      run = await evaluate(model, formulaInput(shape), shape);
    });
    afterAll(() => run.program.destroy());
    const draw = (slot: number, picture: Picture) =>
      drawClassActivationMap(
        { model, maps: { tensor: run.maps, ...run.program.locate(run.maps) }, mapWeights: undefined },
        slot,
        picture,
      );

    test('logits', async () => {
      const logits = new Float32Array(await run.program.read(run.logits));
      expect(largestDifference(logits, expected.logits)).toBeLessThanOrEqual(10 * noise.logits);
    });

    test.each([0, 1])('map of image %i, and the map upsampled', async (slot) => {
      const drawn = await draw(slot, pictureOf(size, size, 1));
      expect([drawn.mapHeight, drawn.mapWidth]).toEqual([mapHeight, mapWidth]);
      expect(largestDifference(drawn.map, expected.map[slot]?.flat() as number[])).toBeLessThanOrEqual(tolerance);
      const extremes = [Math.min(...drawn.heat), Math.max(...drawn.heat)];
      const [low, high] = [expected.upsampled_min[slot] as number, expected.upsampled_max[slot] as number];
      expect(largestDifference(extremes, [low, high])).toBeLessThanOrEqual(tolerance);
      expect(Math.abs(dot(drawn.heat) - (expected.upsampled_dot[slot] as number))).toBeLessThanOrEqual(
        tolerance * size,
      );
      if (slot === 1) return;
      const [every, rows] = expected.upsampled_image_0
        ? [1, expected.upsampled_image_0]
        : [16, expected.upsampled_image_0_every_16th as number[][]];
      const shown = drawn.heat.filter((_, at) => at % every === 0 && Math.floor(at / size) % every === 0);
      expect(shown).toHaveLength(rows.flat().length);
      expect(largestDifference(shown, rows.flat())).toBeLessThanOrEqual(tolerance);
    });

    test('on a picture that is not square and of another size', async () => {
      const [width, height] = [50, 24];
      const { heat } = await draw(1, pictureOf(width, height, 3));
      expect(heat).toHaveLength(width * height);
      const reference = upsample(expected.map[1] as number[][], width, height);
      expect(largestDifference(heat, reference)).toBeLessThanOrEqual(tolerance);
    });

    test.each([1, 3] as const)('overlay of a picture of %i planes', async (channels) => {
      const picture = pictureOf(size, size, channels);
      const drawn = await draw(0, picture);
      const area = size * size;
      const coloursAt = (index: number) =>
        [0, 1, 2].map((plane) => picture.planes[index + (channels === 3 ? plane * area : 0)] as number);
      const [low, high] = [Math.min(...drawn.heat), Math.max(...drawn.heat)];
      // At 160 px no pixel shows the map's lowest value itself; what is nearest moves a colour by 0.4 of a step at most.
      const cold = [...drawn.heat.keys()].filter((index) => drawn.heat[index] === low);
      expect(cold.length).toBeGreaterThan(0);
      for (const index of cold) expect(pixelOf(drawn, index)).toEqual([...coloursAt(index), 255]);
      const hottest = drawn.heat.indexOf(high);
      const mixed = coloursAt(hottest).map(
        (value, k) => (1 - OPACITY) * value + OPACITY * 255 * (HOTTEST[k] as number),
      );
      expect(largestDifference(pixelOf(drawn, hottest), [...mixed, 255])).toBeLessThanOrEqual(1);
    });
  });
});
