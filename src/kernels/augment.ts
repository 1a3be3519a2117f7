import { required } from '../base/errors.ts';
import { ceilDivide, elementCount } from '../base/shape.ts';
import { f32, type OpDefinition } from './definition.ts';
import { bytesOf, spread } from './launch.ts';

const LANES = 64;

/** Words per image of the `images` tensor: byte offset, channels, flip (u32), cosine and sine of the angle (f32). */
export const AUGMENT_WORDS = 5;

/** Mean and standard deviation that red, green and blue (0 to 1) are normalised with. */
export const NORMALISATIONS = {
  /** torchvision's Normalize for ImageNet. */
  imagenet: { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] },
  /** -1 to 1: what torchvision's Inception V3 makes of that with transform_input. */
  half: { mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] },
} as const;

export type Normalisation = keyof typeof NORMALISATIONS;

export interface AugmentAttributes {
  readonly images: number;
  /** Row of the `images` tensor that the first image is described in; default 0. */
  readonly first?: number;
  /** Width and height of every image in pixels. */
  readonly size: number;
  /** Default `imagenet`. */
  readonly normalisation?: Normalisation;
}

function normalisationUniforms(name: Normalisation): Record<string, number> {
  const { mean, deviation } = NORMALISATIONS[name];
  return {
    meanRed: mean[0],
    meanGreen: mean[1],
    meanBlue: mean[2],
    deviationRed: deviation[0],
    deviationGreen: deviation[1],
    deviationBlue: deviation[2],
  };
}

/**
 * Flips, turns and normalises a batch of 8-bit images: bytes (u32 words), images (5 words each) -> x [N,size,size,4], the
 * fourth channel 0. See shaders/augment.wgsl for the order and the sampling.
 */
export const augment: OpDefinition<AugmentAttributes> = {
  name: 'augment',
  inputs: ['bytes', 'images'],
  outputs: ['x'],
  half: { inputs: [], outputs: [0] },
  stridedOutput: true,
  images: {
    whole: [0, 1],
    attributes: (attributes, { first, count }) => ({
      ...attributes,
      images: count,
      first: (attributes.first ?? 0) + first,
    }),
  },
  shape: (_inputs, { images, size }) => [f32(images, size, size, 4)],
  cost: ({ inputs, outputs }) => ({
    flops: 20 * elementCount(outputs[0]?.shape ?? []),
    bytes: bytesOf(...inputs, ...outputs),
  }),
  variants: [
    {
      name: 'pixels',
      fits: () => true,
      launches({ inputs, outputs, attributes: { images, first = 0, size, normalisation = 'imagenet' } }) {
        const y = required(outputs[0], 'augment: x');
        return [
          {
            shader: 'augment.wgsl',
            entry: 'augment',
            constants: { LANES },
            bindings: {
              bytes: required(inputs[0], 'augment: bytes'),
              images: required(inputs[1], 'augment: images'),
              y,
            },
            uniforms: {
              images,
              first,
              size,
              yOffset: y.offset / 4,
              yStride: y.stride / 4,
              ...normalisationUniforms(normalisation),
            },
            workgroups: [...spread(ceilDivide(images * size * size, LANES)), 1],
          },
        ];
      },
    },
  ],
};
