import { required } from '../base/errors.ts';
import { ceilDivide, elementCount } from '../base/shape.ts';
import { f32, type OpDefinition } from './definition.ts';
import { bytesOf, spread } from './launch.ts';

const LANES = 64;

/** Words per image of the `images` tensor: byte offset, channels, flip (u32), cosine and sine of the angle (f32). */
export const AUGMENT_WORDS = 5;

export interface AugmentAttributes {
  readonly images: number;
  /** Width and height of every image in pixels. */
  readonly size: number;
}

/**
 * Flips, turns and normalises a batch of 8-bit images: bytes (u32 words), images [N,5] -> x [N,size,size,4], the fourth
 * channel 0. See shaders/augment.wgsl for the order and the sampling.
 */
export const augment: OpDefinition<AugmentAttributes> = {
  name: 'augment',
  inputs: ['bytes', 'images'],
  outputs: ['x'],
  stridedOutput: true,
  shape: (_inputs, { images, size }) => [f32(images, size, size, 4)],
  cost: ({ inputs, outputs }) => ({
    flops: 20 * elementCount(outputs[0]?.shape ?? []),
    bytes: bytesOf(...inputs, ...outputs),
  }),
  variants: [
    {
      name: 'pixels',
      fits: () => true,
      launches({ inputs, outputs, attributes: { images, size } }) {
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
            uniforms: { images, size, yOffset: y.offset / 4, yStride: y.stride / 4 },
            workgroups: [...spread(ceilDivide(images * size * size, LANES)), 1],
          },
        ];
      },
    },
  ],
};
