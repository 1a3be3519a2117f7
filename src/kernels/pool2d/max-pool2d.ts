import { required } from '../../base/errors.ts';
import { channelsOf, type Shape } from '../../base/shape.ts';
import { f32, type OpDefinition } from '../definition.ts';
import { gridOf, placement, vectorType } from '../launch.ts';
import { type Gradient, type Pool2dAttributes, poolShape, poolUniforms, rangeOf, windowCost } from './window.ts';

/** How many channels' taps a word of indices holds. */
export const tapsPerWord = (channels: number, { kernel }: Pool2dAttributes): 1 | 4 =>
  channels % 4 === 0 && kernel[0] * kernel[1] <= 256 ? 4 : 1;

/** The width and what follows from it in shaders/max_pool2d.wgsl. */
function tapsOf(x: Shape, attributes: Pool2dAttributes) {
  const width = tapsPerWord(channelsOf(x), attributes);
  return {
    width,
    library: width === 4 ? 'lib/taps_bytes.wgsl' : 'lib/taps_words.wgsl',
    constants: { T: vectorType(width), I: width === 4 ? 'vec4u' : 'u32' },
  };
}

/**
 * Max pooling: x [N,H,W,C] -> y [N,OH,OW,C] and indices (u32 words of tapsPerWord bytes or one: the kernel's tap of each
 * first maximum). Padding never wins; ties go to the first in reading order, as in PyTorch.
 */
export const maxPool2d: OpDefinition<Pool2dAttributes> = {
  name: 'max_pool2d',
  inputs: ['x'],
  outputs: ['y', 'indices'],
  stridedOutput: true,
  images: {},
  shape([x], attributes) {
    const shape = poolShape('max_pool2d', x?.shape, attributes);
    const words = channelsOf(shape) / tapsPerWord(channelsOf(shape), attributes);
    return [f32(...shape), { shape: [...shape.slice(0, -1), words], dtype: 'u32' }];
  },
  cost: windowCost,
  variants: [
    {
      name: 'rows',
      fits: () => true,
      launches({ inputs, outputs, attributes, traits }) {
        const x = required(inputs[0], 'max_pool2d: x');
        const y = required(outputs[0], 'max_pool2d: y');
        const indices = required(outputs[1], 'max_pool2d: indices');
        const { width, library, constants } = tapsOf(x.shape, attributes);
        const grid = gridOf(y, width, traits);
        return [
          {
            shader: 'max_pool2d.wgsl',
            entry: 'forward',
            libraries: ['lib/rows.wgsl', library],
            constants: { ...constants, ...grid.constants },
            bindings: { x, y, indices },
            uniforms: {
              ...grid.uniforms,
              ...poolUniforms(x.shape, y.shape, attributes),
              ...placement('x', x, width),
              ...placement('y', y, width),
              ...placement('indices', indices, 1),
            },
            workgroups: grid.workgroups,
          },
        ];
      },
    },
  ],
  backward({ inputs: [x], outputs: [, indices], gradients: [dy], attributes, emit }) {
    if (!x || !dy) return [];
    return emit(maxPool2dGradient, [dy, indices], { ...attributes, xShape: x.shape });
  },
};

/** Gradient of max pooling: dy [N,OH,OW,C] and its indices -> dx [N,H,W,C]. */
export const maxPool2dGradient: OpDefinition<Gradient<Pool2dAttributes>> = {
  name: 'max_pool2d_gradient',
  inputs: ['dy', 'indices'],
  outputs: ['dx'],
  stridedOutput: true,
  images: { attributes: rangeOf },
  shape: (_inputs, { xShape }) => [f32(...xShape)],
  cost: windowCost,
  variants: [
    {
      name: 'rows',
      fits: () => true,
      launches({ inputs, outputs, attributes, traits }) {
        const dy = required(inputs[0], 'max_pool2d_gradient: dy');
        const taps = required(inputs[1], 'max_pool2d_gradient: indices');
        const dx = required(outputs[0], 'max_pool2d_gradient: dx');
        const { width, library, constants } = tapsOf(dx.shape, attributes);
        const grid = gridOf(dx, width, traits);
        return [
          {
            shader: 'max_pool2d.wgsl',
            entry: 'data_gradient',
            libraries: ['lib/rows.wgsl', library],
            constants: { ...constants, ...grid.constants },
            bindings: { dy, taps, dx },
            uniforms: {
              ...grid.uniforms,
              ...poolUniforms(dx.shape, dy.shape, attributes),
              ...placement('x', dx, width),
              ...placement('y', dy, width),
              ...placement('indices', taps, 1),
            },
            workgroups: grid.workgroups,
          },
        ];
      },
    },
  ],
};
