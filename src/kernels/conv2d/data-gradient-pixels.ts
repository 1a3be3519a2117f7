import { ceilDivide } from '../../base/shape.ts';
import type { AdapterTraits } from '../../base/traits.ts';
import type { Launch } from '../definition.ts';
import { LANES, placement, spread } from '../launch.ts';
import { type Epilogue, type GradientOperands, NO_EPILOGUE } from './data-gradient-epilogue.ts';
import { type DataGradientAttributes, type Geometry, pixelGroups, registerBlocks, vectorUniforms } from './geometry.ts';

/** How the pixels of a geometry are spread over workgroups, of which there are at most `mostRuns` side by side. */
export function pixelRuns(
  { images, height, width }: Pick<Geometry, 'images' | 'height' | 'width'>,
  traits: AdapterTraits,
  mostRuns = Number.MAX_VALUE,
) {
  const lanes = traits.kind === 'hardware' ? 64 : LANES;
  const pixels = images * height * width;
  const tiles = ceilDivide(pixelGroups(pixels, lanes), mostRuns);
  return { lanes, pixels, tiles, runs: ceilDivide(pixelGroups(pixels, lanes), tiles) };
}

/** A data gradient on four channels at once: see shaders/conv2d_data_gradient_pixels.wgsl. */
export function pixelsLaunch(
  { dy, w, dx, geometry, accumulate }: GradientOperands,
  attributes: DataGradientAttributes,
  { lanes, pixels, tiles, runs }: ReturnType<typeof pixelRuns>,
  epilogue: Epilogue = NO_EPILOGUE.pixels,
): Launch {
  const blocks = registerBlocks(geometry.inChannels);
  return {
    shader: 'conv2d_data_gradient_pixels.wgsl',
    entry: 'data_gradient',
    libraries: [...epilogue.libraries, 'lib/multiply_add.wgsl'],
    constants: { BLOCKS: blocks, LANES: lanes },
    bindings: { dy, w, dx, ...epilogue.bindings },
    uniforms: {
      pixels,
      ...vectorUniforms(geometry, attributes),
      ...placement('dy', dy, 4),
      wOffset: w.offset / 4,
      ...placement('dx', dx, 4),
      accumulate: accumulate ? 1 : 0,
      tiles,
      ...epilogue.uniforms,
    },
    workgroups: [geometry.inChannels / 4 / blocks, ...spread(runs)],
  };
}
