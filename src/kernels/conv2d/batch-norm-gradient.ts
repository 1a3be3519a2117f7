import { required } from '../../base/errors.ts';
import { channelsOf, elementCount } from '../../base/shape.ts';
import type { AdapterTraits } from '../../base/traits.ts';
import { activationRange } from '../activation.ts';
import type { BatchNormAttributes } from '../batch-norm/apply.ts';
import { f32, type OpDefinition, type Variant } from '../definition.ts';
import { summed } from '../elementwise.ts';
import { bytesOf, placement } from '../launch.ts';
import { sumPartials } from '../sum-partials.ts';
import { pixelRuns, pixelsLaunch } from './data-gradient-pixels.ts';
import {
  type DataGradientAttributes,
  type Geometry,
  geometryOf,
  isVectorised,
  multiplyAccumulates,
} from './geometry.ts';

export type BatchNormGradientAttributes = DataGradientAttributes & BatchNormAttributes;

/** How pixels become partial sums: on a GPU one a workgroup, elsewhere one a lane; workgroups enough to fill either. */
function partialSums(geometry: Geometry, traits: AdapterTraits) {
  if (traits.kind === 'hardware') {
    const runs = pixelRuns(geometry, traits, 128);
    return { runs, library: 'lib/sum_together.wgsl', partials: runs.runs };
  }
  const runs = pixelRuns(geometry, traits, 16);
  return { runs, library: 'lib/sum_apart.wgsl', partials: runs.runs * runs.lanes };
}

const pixels: Variant<BatchNormGradientAttributes> = {
  name: 'pixels',
  fits: ({ inputs: [, w], outputs: [dx], attributes }) => !!dx && !!w && isVectorised(dx, w, attributes),
  scratch({ inputs: [, w], attributes, traits }) {
    const geometry = geometryOf('conv2d_batch_norm_gradient', attributes.xShape, w?.shape ?? [], attributes);
    return [f32(partialSums(geometry, traits).partials, 2, geometry.inChannels)];
  },
  launches({ inputs, outputs, scratch, attributes, traits }) {
    const dy = required(inputs[0], 'conv2d_batch_norm_gradient: dy');
    const w = required(inputs[1], 'conv2d_batch_norm_gradient: weight');
    const x = required(inputs[2], 'conv2d_batch_norm_gradient: x');
    const affine = required(inputs[3], 'conv2d_batch_norm_gradient: affine');
    const dx = required(outputs[0], 'conv2d_batch_norm_gradient: dx');
    const dweight = required(outputs[1], 'conv2d_batch_norm_gradient: dweight');
    const sums = required(scratch[0], 'conv2d_batch_norm_gradient: partials');
    const geometry = geometryOf('conv2d_batch_norm_gradient', attributes.xShape, w.shape, attributes);
    const { runs, library, partials } = partialSums(geometry, traits);
    const operands = { dy, w, dx, geometry, accumulate: inputs[4] !== undefined };
    const epilogue = {
      libraries: ['lib/epilogue_batch_norm.wgsl', library],
      bindings: { x, affine, partials: sums },
      uniforms: { ...placement('x', x, 4), ...activationRange(attributes.activation) },
    };
    return [pixelsLaunch(operands, attributes, runs, epilogue), sumPartials(sums, dweight, partials, traits)];
  },
};

/**
 * Gradient of a convolution's input, on through the batch normalisation and activation in front of it, whose gradient dz
 * is never stored: dy [N,OH,OW,O], weight [KH,KW,C,O], x [N,H,W,C] (before the normalisation), affine [4,C] ->
 * dx [N,H,W,C] = scale * dz where the activation passes it, added to `into`, and dweight [2,C] (dgamma, dbeta). In
 * training, dx lacks what batchNormCorrection adds.
 */
export const conv2dBatchNormGradient: OpDefinition<BatchNormGradientAttributes> = {
  name: 'conv2d_batch_norm_gradient',
  inputs: ['dy', 'weight', 'x', 'affine', 'into?'],
  outputs: ['dx', 'dweight'],
  half: { inputs: [0, 2], outputs: [0] },
  stridedOutput: true,
  accumulates: 4,
  images: {
    whole: [1, 3],
    combine: [undefined, summed],
    attributes: (attributes, { count }) => ({ ...attributes, xShape: [count, ...attributes.xShape.slice(1)] }),
  },
  shape: ([, , x], { xShape }) => [f32(...xShape), f32(2, channelsOf(x?.shape ?? []))],
  cost({ inputs, outputs, attributes }) {
    const geometry = geometryOf('conv2d_batch_norm_gradient', attributes.xShape, inputs[1]?.shape ?? [], attributes);
    return {
      flops: 2 * multiplyAccumulates(geometry, attributes.groups) + 8 * elementCount(attributes.xShape),
      bytes: bytesOf(...inputs, ...outputs),
    };
  },
  variants: [pixels],
};
