import { gathering } from '../batch-norm/partial-moments.ts';
import type { Signature } from '../definition.ts';
import { spread } from '../launch.ts';
import { pixelRuns } from './data-gradient-pixels.ts';
import { type ForwardKernel, geometryOfForward } from './forward-kernel.ts';
import { type Conv2dAttributes, isVectorised, registerBlocks, vectorUniforms } from './geometry.ts';
import { forwardOperands } from './operands.ts';

/** Workgroups side by side that gather moments: enough for every core, each with enough pixels for few partial moments. */
const MOST_RUNS = 16;

function outputRuns(signature: Signature<Conv2dAttributes>, mostRuns?: number) {
  const { images, outHeight, outWidth } = geometryOfForward(signature);
  return pixelRuns({ images, height: outHeight, width: outWidth }, signature.traits, mostRuns);
}

/** Four channels at once, lanes = pixels: see shaders/conv2d_pixels.wgsl. */
export const pixelsForward: ForwardKernel = {
  name: 'pixels',
  fits: ({ inputs: [x, w], attributes }) => !!x && !!w && isVectorised(x, w, attributes),
  parts(signature) {
    const { runs, lanes } = outputRuns(signature, MOST_RUNS);
    return runs * lanes;
  },
  launch(context, partials) {
    const { geometry, libraries, bindings, uniforms } = forwardOperands(context);
    const { attributes } = context;
    const blocks = registerBlocks(geometry.outChannels);
    const { lanes, pixels, tiles, runs } = outputRuns(context, partials && MOST_RUNS);
    const moments = gathering(partials, { summed: blocks, parts: lanes });
    return {
      shader: 'conv2d_pixels.wgsl',
      entry: 'forward',
      libraries: [...libraries, ...moments.libraries, 'lib/multiply_add.wgsl'],
      constants: { BLOCKS: blocks, LANES: lanes, ...moments.constants },
      bindings: { ...bindings, ...moments.bindings },
      uniforms: {
        pixels,
        ...vectorUniforms(geometry, attributes),
        tiles,
        ...uniforms(4),
      },
      workgroups: [geometry.outChannels / 4 / blocks, ...spread(runs)],
    };
  },
};
