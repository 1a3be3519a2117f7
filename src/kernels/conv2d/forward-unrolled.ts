import { ceilDivide } from '../../base/shape.ts';
import type { Variant } from '../definition.ts';
import { LANES, spread } from '../launch.ts';
import { geometryOfForward } from './forward-kernel.ts';
import { type Conv2dAttributes, isVectorised, vectorUniforms } from './geometry.ts';
import { forwardOperands } from './operands.ts';

/** Of a lane. */
const PIXELS = 8;
const CHANNELS = 16;

/** For drivers that keep arrays of a shader in memory: see shaders/conv2d_unrolled.wgsl. */
export const unrolledForward: Variant<Conv2dAttributes> = {
  name: 'unrolled',
  fits: ({ inputs: [x, w], attributes, traits }) =>
    traits.arraysInMemory === true &&
    !!x &&
    !!w &&
    isVectorised(x, w, attributes) &&
    (w.shape[3] ?? 0) % CHANNELS === 0,
  launches(context) {
    const { libraries, bindings, uniforms } = forwardOperands(context);
    const geometry = geometryOfForward(context);
    const pixels = geometry.images * geometry.outHeight * geometry.outWidth;
    return [
      {
        shader: 'conv2d_unrolled.wgsl',
        entry: 'forward',
        libraries,
        constants: { LANES },
        bindings,
        uniforms: { pixels, ...vectorUniforms(geometry, context.attributes), ...uniforms(4) },
        workgroups: [geometry.outChannels / CHANNELS, ...spread(ceilDivide(pixels, PIXELS * LANES))],
      },
    ];
  },
};
