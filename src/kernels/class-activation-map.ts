import { required, ShapeError } from '../base/errors.ts';
import { ceilDivide, channelsOf, elementCount, formatShape } from '../base/shape.ts';
import { f32, type OpDefinition } from './definition.ts';
import { bytesOf, spread } from './launch.ts';

export interface ClassActivationMapAttributes {
  /** Which image of the batch. */
  readonly image: number;
  /** Size of the picture to draw, in pixels. */
  readonly height: number;
  readonly width: number;
  /** Planes of the picture's bytes: 1 grey, 3 red, green and blue. */
  readonly planes: 1 | 3;
  /** Opacity of the hottest colour, 0 to 1. */
  readonly opacity: number;
}

const LANES = 64;

/**
 * Class activation map: maps [N,h,w,C], weight [1,1,C,O] of the head (its first output), bytes (u32 words of the
 * picture's planes) -> map [h,w], heat [height,width] (the map upsampled bilinearly), overlay [height,width] (RGBA bytes
 * in u32). mean(map) + bias is the image's logit.
 */
export const classActivationMap: OpDefinition<ClassActivationMapAttributes> = {
  name: 'class_activation_map',
  inputs: ['maps', 'weight', 'bytes'],
  outputs: ['map', 'heat', 'overlay'],
  shape([maps, weight], { image, height, width }) {
    const [images = 0, mapHeight = 0, mapWidth = 0, channels] = maps?.shape ?? [];
    if (weight?.shape[2] !== channels || image >= images) {
      throw new ShapeError(
        `class_activation_map: image ${image} and weight ${formatShape(weight?.shape ?? [])} do not fit maps ` +
          formatShape(maps?.shape ?? []),
      );
    }
    return [f32(mapHeight, mapWidth), f32(height, width), { shape: [height, width], dtype: 'u32' }];
  },
  cost: ({ inputs, outputs }) => ({
    flops: 2 * elementCount(inputs[0]?.shape ?? []) + 40 * elementCount(outputs[1]?.shape ?? []),
    bytes: bytesOf(...inputs, ...outputs),
  }),
  variants: [
    {
      name: 'pixels',
      fits: () => true,
      launches({ inputs, outputs, attributes }) {
        const maps = required(inputs[0], 'class_activation_map: maps');
        const weight = required(inputs[1], 'class_activation_map: weight');
        const bytes = required(inputs[2], 'class_activation_map: bytes');
        const map = required(outputs[0], 'class_activation_map: map');
        const heat = required(outputs[1], 'class_activation_map: heat');
        const result = required(outputs[2], 'class_activation_map: overlay');
        const [, mapHeight = 0, mapWidth = 0, channels = 0] = maps.shape;
        const shared = {
          shader: 'cam.wgsl',
          constants: { LANES },
          uniforms: {
            mapHeight,
            mapWidth,
            channels,
            mapsOffset: maps.offset + attributes.image * mapHeight * mapWidth * maps.stride,
            mapsStride: maps.stride,
            weightOffset: weight.offset,
            weightStride: channelsOf(weight.shape),
            height: attributes.height,
            width: attributes.width,
            planes: attributes.planes,
            opacity: attributes.opacity,
          },
        };
        return [
          {
            ...shared,
            entry: 'class_map',
            bindings: { maps, weight, class_map_out: map },
            workgroups: [ceilDivide(mapHeight * mapWidth, LANES), 1, 1],
          },
          {
            ...shared,
            entry: 'overlay',
            bindings: { class_map_in: map, bytes, heat, result },
            workgroups: [...spread(ceilDivide(attributes.height * attributes.width, LANES)), 1],
          },
        ];
      },
    },
  ],
};
