import type { AdapterTraits } from '../../base/traits.ts';
import type { Launch, Signature } from '../definition.ts';
import { placement } from '../launch.ts';
import { type Epilogue, type GradientOperands, NO_EPILOGUE } from './data-gradient-epilogue.ts';
import { type Gemm, suits, type Tile, tileGroups } from './gemm-tiles.ts';
import { type DataGradientAttributes, type Geometry, geometryOf, isVectorised } from './geometry.ts';
import { gridOf, mapSizes, pipelineOf, taps, tileOn } from './tiled-launch.ts';

const pixelsOf = ({ images, height, width }: Geometry): number => images * height * width;

/** The tile of a data gradient, each of whose threads keeps so many bytes more in workgroup memory; undefined where none fits. */
function tileFor(
  gemm: Gemm,
  { inputs: [, w], outputs: [dx], attributes, traits }: Signature<DataGradientAttributes>,
  threadBytes: number,
): Tile | undefined {
  const tile = gemm.tileOn(traits, threadBytes);
  if (!tile || !dx || !w || !isVectorised(dx, w, attributes)) return undefined;
  const geometry = geometryOf('conv2d_data_gradient', dx.shape, w.shape, attributes);
  return suits(tile, pixelsOf(geometry), geometry.inChannels) ? tile : undefined;
}

/** Whether the tiles of `gemm` suit a data gradient. */
export const tilesFit = (gemm: Gemm, signature: Signature<DataGradientAttributes>, threadBytes = 0): boolean =>
  tileFor(gemm, signature, threadBytes) !== undefined;

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
