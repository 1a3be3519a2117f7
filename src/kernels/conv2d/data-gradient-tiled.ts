import type { AdapterTraits } from '../../base/traits.ts';
import type { Launch, Signature } from '../definition.ts';
import { placement } from '../launch.ts';
import { type Epilogue, type GradientOperands, NO_EPILOGUE } from './data-gradient-epilogue.ts';
import { type Gemm, suits, tileGroups } from './gemm-tiles.ts';
import { type DataGradientAttributes, type Geometry, geometryOf, isVectorisedGradient } from './geometry.ts';
import { gridOf, mapSizes, pipelineOf, taps, tileOn } from './tiled-launch.ts';

const pixelsOf = ({ images, height, width }: Geometry): number => images * height * width;

/**
 * Whether the tiles of `gemm` suit a data gradient. `threadBytes`: what each thread keeps in workgroup memory besides.
 */
export function tilesFit(gemm: Gemm, signature: Signature<DataGradientAttributes>, threadBytes = 0): boolean {
  const { inputs, outputs, attributes, traits } = signature;
  const tile = gemm.tileOn(traits, threadBytes);
  if (!tile || !isVectorisedGradient(signature)) return false;
  const geometry = geometryOf('conv2d_data_gradient', outputs[0]?.shape ?? [], inputs[1]?.shape ?? [], attributes);
  return suits(tile, pixelsOf(geometry), geometry.inChannels);
}

/** Tiles along the pixels: an epilogue has a partial sum of each. */
export const pixelTiles = (gemm: Gemm, geometry: Geometry, traits: AdapterTraits): number =>
  tileGroups(tileOn(gemm, traits), pixelsOf(geometry), geometry.inChannels)[0];

/** A data gradient as a product in tiles: see shaders/conv2d_tiled_data_gradient.wgsl. */
export function tiledLaunch(
  gemm: Gemm,
  { dy, w, dx, geometry, accumulate }: GradientOperands,
  attributes: DataGradientAttributes,
  traits: AdapterTraits,
  epilogue: Epilogue = NO_EPILOGUE.tiles,
): Launch {
  const pixels = pixelsOf(geometry);
  const pipeline = pipelineOf(
    gemm,
    'conv2d_tiled_data_gradient.wgsl',
    epilogue.libraries,
    geometry,
    attributes,
    traits,
  );
  return {
    ...pipeline,
    entry: 'data_gradient',
    constants: { ...pipeline.constants, RIGHT_ALONG_K: 'true' },
    bindings: { dy, w, dx, ...epilogue.bindings },
    uniforms: {
      pixels,
      inner: (taps(geometry) * geometry.outChannels) / 4,
      ...mapSizes(geometry, attributes),
      ...placement('dy', dy, 4),
      wOffset: w.offset / 4,
      ...placement('dx', dx, 4),
      accumulate: accumulate ? 1 : 0,
      ...epilogue.uniforms,
    },
    workgroups: gridOf(tileOn(gemm, traits), pixels, geometry.inChannels),
  };
}
