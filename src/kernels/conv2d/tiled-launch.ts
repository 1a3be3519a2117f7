import { required } from '../../base/errors.ts';
import type { AdapterTraits } from '../../base/traits.ts';
import { spread } from '../launch.ts';
import { matrixGemms } from './gemm-matrices.ts';
import { registerGemms } from './gemm-registers.ts';
import { type Gemm, type Tile, tileGroups } from './gemm-tiles.ts';
import type { Conv2dAttributes, Geometry } from './geometry.ts';

/**
 * For GPUs and convolutions whose channels are not grouped, the one to take first in front: matrix units, where f16 is
 * allowed, are several times faster than all else; then tiles, the largest that suits the sizes. Variants made of them come
 * before those for software adapters, which load both operands from memory for every few products.
 */
export const gemms: readonly Gemm[] = [...matrixGemms, ...registerGemms];

export const taps = ({ kernelHeight, kernelWidth }: Geometry): number => kernelHeight * kernelWidth;

export const outputPixels = ({ images, outHeight, outWidth }: Geometry): number => images * outHeight * outWidth;

/** The tile of a variant that fits. */
export const tileOn = (gemm: Gemm, traits: AdapterTraits): Tile =>
  required(gemm.tileOn(traits), `${gemm.name}: the tile`);

/**
 * A shader with the product's files, and its constants: what is known when a pipeline is made. Sizes of maps and channels
 * are uniforms, so that layers share pipelines.
 */
export function pipelineOf(
  gemm: Gemm,
  shader: string,
  libraries: readonly string[],
  { kernelHeight, kernelWidth }: Geometry,
  { stride, padding }: Conv2dAttributes,
  traits: AdapterTraits,
) {
  const single = kernelHeight * kernelWidth === 1;
  const pointwise = single && stride[0] * stride[1] === 1 && padding[0] + padding[1] === 0;
  const [first = shader, ...others] = [...(gemm.enable ? [gemm.enable] : []), shader, ...gemm.libraries, ...libraries];
  return {
    shader: first,
    libraries: others,
    constants: {
      ...gemm.constants(traits),
      KERNEL_WIDTH: kernelWidth,
      STRIDE_Y: stride[0],
      STRIDE_X: stride[1],
      POINTWISE: String(pointwise),
    },
  };
}

export const mapSizes = (geometry: Geometry, { padding }: Conv2dAttributes): Record<string, number> => ({
  height: geometry.height,
  width: geometry.width,
  inChannels: geometry.inChannels / 4,
  outHeight: geometry.outHeight,
  outWidth: geometry.outWidth,
  outChannels: geometry.outChannels / 4,
  padY: padding[0],
  padX: padding[1],
});

/** Workgroups of one range of rows side by side: they read the same rows of the left matrix at about the same time. */
export function gridOf(tile: Tile, rows: number, columns: number): [number, number, number] {
  const [down, across] = tileGroups(tile, rows, columns);
  return [across, ...spread(down)];
}
