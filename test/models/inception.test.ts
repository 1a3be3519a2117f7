import { describe, expect, test } from 'vitest';
import { NORMALISATIONS } from '../../src/kernels/augment.ts';
import { inception } from '../../src/models/inception.ts';
import { checkImageSize } from '../../src/models/inference.ts';
import { Model } from '../../src/models/model.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { useDevice } from '../support/use-device.ts';

const definition = inception({ auxiliary: true });

describe('sizes of images', () => {
  test('are refused below the smallest that the network can read', () => {
    expect(() => checkImageSize(definition, 75)).not.toThrow();
    expect(() => checkImageSize(definition, 74)).toThrowErrorMatchingInlineSnapshot(
      `[UserError: inception_v3 cannot take images of 74 pixels: the smallest --image-size is 75]`,
    );
  });

  test('are refused for training where the auxiliary classifier cannot take them', () => {
    expect(() => checkImageSize(definition, 299, { training: true })).not.toThrow();
    expect(() => checkImageSize(definition, 298, { training: true })).toThrowErrorMatchingInlineSnapshot(
      `[UserError: inception_v3 cannot be trained with its auxiliary classifier on images of 298 pixels: the smallest --image-size is 299]`,
    );
    expect(() => checkImageSize(definition, 74, { training: true })).toThrowErrorMatchingInlineSnapshot(
      `[UserError: inception_v3 cannot be trained with its auxiliary classifier on images of 74 pixels: the smallest --image-size is 299]`,
    );
  });
});

test("the normalisation of ImageNet weights is torchvision's transform_input of images normalised as for the others", () => {
  const { imagenet, half } = NORMALISATIONS;
  for (const value of [0, 0.25, 1]) {
    for (const c of [0, 1, 2] as const) {
      const usual = (value - imagenet.mean[c]) / imagenet.deviation[c];
      const transformed = usual * (imagenet.deviation[c] / 0.5) + (imagenet.mean[c] - 0.5) / 0.5;
      expect((value - half.mean[c]) / half.deviation[c]).toBeCloseTo(transformed, 14);
    }
  }
});

describeOnFastAdapter('weights', () => {
  const device = useDevice();

  test('with 1,000 outputs were trained on images from -1 to 1; others were not, unless their file says so', async () => {
    const source = new Model(device(), definition, { outputs: 1000 });
    const tensors = await source.stateDict();
    source.destroy();
    const model = new Model(device(), definition);
    expect(model.normalisation).toBe('imagenet');
    expect(model.load('imagenet.pth', tensors).notes).toEqual([
      'imagenet.pth has 1000 outputs in AuxLogits.fc: replaced by a new layer with 1 output',
      'imagenet.pth has 1000 outputs in fc: replaced by a new layer with 1 output',
    ]);
    expect(model.normalisation).toBe('half');
    const own = await model.stateDict();
    model.load('own.safetensors', own);
    expect(model.normalisation).toBe('imagenet');
    model.load('own.safetensors', own, 'half');
    expect(model.normalisation).toBe('half');
    model.destroy();
  });

  test('without the auxiliary classifier leave it as it is', async () => {
    const source = new Model(device(), inception({ auxiliary: false }));
    const tensors = await source.stateDict();
    source.destroy();
    const model = new Model(device(), definition, { seed: 1 });
    const { notes, fresh } = model.load('plain.safetensors', tensors);
    expect(notes).toEqual(['plain.safetensors has no AuxLogits: it starts anew']);
    expect(fresh).toHaveLength(8 + 6);
    model.destroy();
  });
});
