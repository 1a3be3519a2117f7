import { type ForwardKernel, geometryOfForward } from './forward-kernel.ts';
import { type Gemm, suits, tileGroups } from './gemm-tiles.ts';
import { isVectorised } from './geometry.ts';
import { forwardOperands } from './operands.ts';
import { gemms, gridOf, mapSizes, outputPixels, pipelineOf, taps, tileOn } from './tiled-launch.ts';

/** Count, mean and M2 (lib/moments_tiles.wgsl). */
const MOMENTS_BYTES = 36;

/** `threadBytes`: what a thread keeps in workgroup memory besides the tiles. */
const forward = (gemm: Gemm, threadBytes: number): ForwardKernel => ({
  name: gemm.name,
  fits(signature) {
    const { inputs, attributes, traits } = signature;
    const [x, w] = inputs;
    const tile = gemm.tileOn(traits, threadBytes);
    if (!tile || !x || !w || !isVectorised(x, w, attributes)) return false;
    const geometry = geometryOfForward(signature);
    return suits(tile, outputPixels(geometry), geometry.outChannels);
  },
  parts(signature) {
    const geometry = geometryOfForward(signature);
    return tileGroups(tileOn(gemm, signature.traits), outputPixels(geometry), geometry.outChannels)[0];
  },
  launch(context, partials) {
    const { geometry, libraries, bindings, uniforms } = forwardOperands(context);
    const { attributes, traits } = context;
    const pixels = outputPixels(geometry);
    const columns = partials ? ['lib/moments_tiles.wgsl', 'lib/moments_merge.wgsl'] : ['lib/tile_columns_none.wgsl'];
    return {
      ...pipelineOf(gemm, 'conv2d_tiled.wgsl', [...libraries, ...columns], geometry, attributes, traits),
      entry: 'forward',
      bindings: { ...bindings, ...(partials ? { partials } : {}) },
      uniforms: {
        pixels,
        inner: (taps(geometry) * geometry.inChannels) / 4,
        ...mapSizes(geometry, attributes),
        ...uniforms(4),
      },
      workgroups: gridOf(tileOn(gemm, traits), pixels, geometry.outChannels),
    };
  },
});

/** Tiles of products, for GPUs: see shaders/conv2d_tiled.wgsl. */
export const tiledForward = gemms.map((gemm) => forward(gemm, 0));

/** The same where they gather moments. */
export const gatheringTiles = gemms.map((gemm) => forward(gemm, MOMENTS_BYTES));
