import { required } from '../../base/errors.ts';
import { channelsOf, elementCount } from '../../base/shape.ts';
import type { AdapterTraits } from '../../base/traits.ts';
import { activationRange } from '../activation.ts';
import type { BatchNormAttributes } from '../batch-norm/apply.ts';
import { f32, type Launch, type OpDefinition, type Signature, type Variant } from '../definition.ts';
import { summed } from '../elementwise.ts';
import { bytesOf, placement } from '../launch.ts';
import { sumPartials } from '../sum-partials.ts';
import type { Epilogue, GradientOperands } from './data-gradient-epilogue.ts';
import { pixelRuns, pixelsLaunch } from './data-gradient-pixels.ts';
import { pixelTiles, tiledLaunch, tilesFit } from './data-gradient-tiled.ts';
import {
  type DataGradientAttributes,
  type Geometry,
  geometryOf,
  isVectorisedGradient,
  multiplyAccumulates,
} from './geometry.ts';
import { gemms } from './tiled-launch.ts';

export type BatchNormGradientAttributes = DataGradientAttributes & BatchNormAttributes;

const NAME = 'conv2d_batch_norm_gradient';

const geometryFor = ({ inputs: [, w], attributes }: Signature<BatchNormGradientAttributes>): Geometry =>
  geometryOf(NAME, attributes.xShape, w?.shape ?? [], attributes);

/** A data gradient with an epilogue, whose sums over `parts` of the pixels are added up afterwards. */
interface Kernel {
  readonly name: string;
  fits(signature: Signature<BatchNormGradientAttributes>): boolean;
  parts(geometry: Geometry, traits: AdapterTraits): number;
  readonly library: string;
  launch(
    operands: GradientOperands,
    attributes: BatchNormGradientAttributes,
    traits: AdapterTraits,
    epilogue: Epilogue,
  ): Launch;
}

const variant = ({ name, fits, parts, library, launch }: Kernel): Variant<BatchNormGradientAttributes> => ({
  name,
  fits,
  scratch(signature) {
    const geometry = geometryFor(signature);
    return [f32(parts(geometry, signature.traits), 2, geometry.inChannels)];
  },
  launches(context) {
    const { inputs, outputs, scratch, attributes, traits } = context;
    const dy = required(inputs[0], `${NAME}: dy`);
    const w = required(inputs[1], `${NAME}: weight`);
    const x = required(inputs[2], `${NAME}: x`);
    const affine = required(inputs[3], `${NAME}: affine`);
    const dx = required(outputs[0], `${NAME}: dx`);
    const dweight = required(outputs[1], `${NAME}: dweight`);
    const partials = required(scratch[0], `${NAME}: partials`);
    const geometry = geometryFor(context);
    const epilogue = {
      libraries: [library, 'lib/epilogue_batch_norm.wgsl'],
      bindings: { x, affine, partials },
      uniforms: { ...placement('x', x, 4), ...activationRange(attributes.activation) },
    };
    const operands = { dy, w, dx, geometry, accumulate: inputs[4] !== undefined };
    return [
      launch(operands, attributes, traits, epilogue),
      sumPartials(partials, dweight, parts(geometry, traits), traits),
    ];
  },
});

/** Two vec4f of sums (lib/epilogue_batch_norm_tiles.wgsl). */
const THREAD_BYTES = 32;

const tiles = gemms.map((gemm) =>
  variant({
    name: gemm.name,
    fits: (signature) => tilesFit(gemm, signature, THREAD_BYTES),
    parts: (geometry, traits) => pixelTiles(gemm, geometry, traits),
    library: 'lib/epilogue_batch_norm_tiles.wgsl',
    launch: (operands, attributes, traits, epilogue) => tiledLaunch(gemm, operands, attributes, traits, epilogue),
  }),
);

/** Workgroups enough to fill a software adapter; every lane of theirs has a part. */
const runsOf = (geometry: Geometry, traits: AdapterTraits) => pixelRuns(geometry, traits, 16);

const pixels = variant({
  name: 'pixels',
  fits: (signature) => signature.traits.kind === 'software' && isVectorisedGradient(signature),
  parts(geometry, traits) {
    const { runs, lanes } = runsOf(geometry, traits);
    return runs * lanes;
  },
  library: 'lib/epilogue_batch_norm_pixels.wgsl',
  launch: (operands, attributes, traits, epilogue) =>
    pixelsLaunch(operands, attributes, runsOf(operands.geometry, traits), epilogue),
});

/**
 * Gradient of a convolution's input, on through the batch normalisation and activation in front of it, whose gradient dz
 * is never stored: dy [N,OH,OW,O], weight [KH,KW,C,O], x [N,H,W,C] (before the normalisation), affine [4,C] ->
 * dx [N,H,W,C] = scale * dz where the activation passes it, added to `into`, and dweight [2,C] (dgamma, dbeta). In
 * training, dx lacks what batchNormCorrection adds.
 */
export const conv2dBatchNormGradient: OpDefinition<BatchNormGradientAttributes> = {
  name: NAME,
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
    const geometry = geometryOf(NAME, attributes.xShape, inputs[1]?.shape ?? [], attributes);
    return {
      flops: 2 * multiplyAccumulates(geometry, attributes.groups) + 8 * elementCount(attributes.xShape),
      bytes: bytesOf(...inputs, ...outputs),
    };
  },
  variants: [...tiles, pixels],
};
