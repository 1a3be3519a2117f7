import { required } from '../../base/errors.ts';
import type { AdapterTraits } from '../../base/traits.ts';
import { activationRange } from '../activation.ts';
import type { LaunchContext, Signature, Variant } from '../definition.ts';
import { f32 } from '../definition.ts';
import { placement, spread } from '../launch.ts';
import { sumPartials } from '../sum-partials.ts';
import { matrixGemms } from './gemm-matrices.ts';
import { registerGemms } from './gemm-registers.ts';
import { type Gemm, suits, type Tile, tileGroups, tileSplits } from './gemm-tiles.ts';
import {
  type Conv2dAttributes,
  type DataGradientAttributes,
  type Geometry,
  geometryOf,
  isVectorised,
} from './geometry.ts';
import { dataGradientOperands, forwardOperands, weightGradientOperands } from './operands.ts';
import type { WeightGradientAttributes } from './weight-gradient.ts';

const taps = ({ kernelHeight, kernelWidth }: Geometry): number => kernelHeight * kernelWidth;
const inputPixels = ({ images, height, width }: Geometry): number => images * height * width;
const outputPixels = ({ images, outHeight, outWidth }: Geometry): number => images * outHeight * outWidth;

/** The tile of a variant that fits. */
const tileOn = (gemm: Gemm, traits: AdapterTraits): Tile => required(gemm.tileOn(traits), `${gemm.name}: the tile`);

/**
 * A shader with the product's files, and its constants: what is known when a pipeline is made. Sizes of maps and channels
 * are uniforms, so that layers share pipelines.
 */
function pipelineOf(
  gemm: Gemm,
  shader: string,
  libraries: readonly string[],
  { kernelHeight, kernelWidth }: Geometry,
  { attributes: { stride, padding }, traits }: LaunchContext<Conv2dAttributes>,
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

const mapSizes = (geometry: Geometry, { padding }: Conv2dAttributes): Record<string, number> => ({
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
function gridOf(tile: Tile, rows: number, columns: number): [number, number, number] {
  const [down, across] = tileGroups(tile, rows, columns);
  return [across, ...spread(down)];
}

const forward = (gemm: Gemm): Variant<Conv2dAttributes> => ({
  name: gemm.name,
  fits({ inputs: [x, w], attributes, traits }) {
    const tile = gemm.tileOn(traits);
    if (!tile || !x || !w || !isVectorised(x, w, attributes)) return false;
    const geometry = geometryOf('conv2d', x.shape, w.shape, attributes);
    return suits(tile, outputPixels(geometry), geometry.outChannels);
  },
  launches(context) {
    const { geometry, libraries, bindings, uniforms } = forwardOperands(context);
    const { attributes } = context;
    const pixels = outputPixels(geometry);
    return [
      {
        ...pipelineOf(gemm, 'conv2d_tiled.wgsl', libraries, geometry, context),
        entry: 'forward',
        bindings,
        uniforms: {
          pixels,
          inner: (taps(geometry) * geometry.inChannels) / 4,
          ...mapSizes(geometry, attributes),
          ...uniforms(4),
        },
        workgroups: gridOf(tileOn(gemm, context.traits), pixels, geometry.outChannels),
      },
    ];
  },
});

const dataGradient = (gemm: Gemm): Variant<DataGradientAttributes> => ({
  name: gemm.name,
  fits({ inputs: [, w], outputs: [dx], attributes, traits }) {
    const tile = gemm.tileOn(traits);
    if (!tile || !dx || !w || !isVectorised(dx, w, attributes)) return false;
    const geometry = geometryOf('conv2d_data_gradient', dx.shape, w.shape, attributes);
    return suits(tile, inputPixels(geometry), geometry.inChannels);
  },
  launches(context) {
    const { geometry, dy, w, dx, accumulate } = dataGradientOperands(context);
    const pixels = inputPixels(geometry);
    const pipeline = pipelineOf(gemm, 'conv2d_tiled_data_gradient.wgsl', [], geometry, context);
    return [
      {
        ...pipeline,
        entry: 'data_gradient',
        constants: { ...pipeline.constants, RIGHT_ALONG_K: 'true' },
        bindings: { dy, w, dx },
        uniforms: {
          pixels,
          inner: (taps(geometry) * geometry.outChannels) / 4,
          ...mapSizes(geometry, context.attributes),
          ...placement('dy', dy, 4),
          wOffset: w.offset / 4,
          ...placement('dx', dx, 4),
          accumulate: accumulate ? 1 : 0,
        },
        workgroups: gridOf(tileOn(gemm, context.traits), pixels, geometry.inChannels),
      },
    ];
  },
});

/** The weight gradient as a product. */
function weightProduct({ inputs: [x], attributes }: Signature<WeightGradientAttributes>) {
  const geometry = geometryOf('conv2d_weight_gradient', x?.shape ?? [], attributes.weightShape, attributes);
  return { rows: taps(geometry) * geometry.inChannels, columns: geometry.outChannels, pixels: outputPixels(geometry) };
}

function weightGradientLaunches(gemm: Gemm, context: LaunchContext<WeightGradientAttributes>) {
  const { geometry, x, dy, dw, partials, target, libraries, bindings } = weightGradientOperands(context);
  const { attributes, traits } = context;
  const { rows, columns, pixels } = weightProduct(context);
  const tile = tileOn(gemm, traits);
  const { splitSteps, splits } = tileSplits(tile, rows, columns, pixels);
  const [down, across] = tileGroups(tile, rows, columns);
  const pipeline = pipelineOf(gemm, 'conv2d_tiled_weight_gradient.wgsl', libraries, geometry, context);
  const launch = {
    ...pipeline,
    entry: 'weight_gradient',
    constants: { ...pipeline.constants, LEFT_ALONG_K: 'false' },
    bindings,
    uniforms: {
      pixels,
      splitSteps,
      rows: rows / 4,
      ...mapSizes(geometry, attributes),
      ...placement('x', x, 4),
      ...placement('dy', dy, 4),
      dwOffset: target.offset / 4,
      ...activationRange(attributes.prologue ?? 'none'),
    },
    workgroups: [across, down, splits] as [number, number, number],
  };
  return partials ? [launch, sumPartials(partials, dw, splits, traits)] : [launch];
}

const weightGradient = (gemm: Gemm): Variant<WeightGradientAttributes> => ({
  name: gemm.name,
  fits(signature) {
    const { inputs, outputs, attributes, traits } = signature;
    const [[x], [dw]] = [inputs, outputs];
    const tile = gemm.tileOn(traits);
    if (!tile || !x || !dw || !isVectorised(x, dw, attributes)) return false;
    const { rows, columns, pixels } = weightProduct(signature);
    return suits(tile, rows, columns, pixels);
  },
  scratch(signature) {
    const { rows, columns, pixels } = weightProduct(signature);
    const { splits } = tileSplits(tileOn(gemm, signature.traits), rows, columns, pixels);
    return splits > 1 ? [f32(splits, ...signature.attributes.weightShape)] : [];
  },
  launches: (context) => weightGradientLaunches(gemm, context),
});

/**
 * Variants for GPUs of convolutions whose channels are not grouped, the one to take first in front: matrix units, where
 * f16 is allowed, are several times faster than all else; then tiles, the largest that suits the sizes. Both come before
 * the variants made for software adapters, which load both operands from memory for every few products.
 */
const gemms = [...matrixGemms, ...registerGemms];

export const tiled = {
  forward: gemms.map(forward),
  dataGradient: gemms.map(dataGradient),
  weightGradient: gemms.map(weightGradient),
};
