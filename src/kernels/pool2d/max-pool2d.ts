import { required } from '../../base/errors.ts';
import { channelsOf, type TensorType } from '../../base/shape.ts';
import { type Activation, activationRange } from '../activation.ts';
import { mergedMoments } from '../batch-norm/merge-moments.ts';
import { gathering, mergePartials, partialMoments } from '../batch-norm/partial-moments.ts';
import { f32, type Launch, type LaunchContext, type OpDefinition, type Operand } from '../definition.ts';
import { gridOf, placement, vectorType } from '../launch.ts';
import { gradientsOf } from './gradient.ts';
import { type Pool2dAttributes, poolShape, poolUniforms, windowCost } from './window.ts';

export interface MaxPool2dAttributes extends Pool2dAttributes {
  /** Activation after the normalisation that is applied while x is loaded; needs the input `affine`. */
  readonly prologue?: Activation;
}

/** How many channels' taps a word of indices holds. */
export const tapsPerWord = (channels: number, { kernel }: Pool2dAttributes): 1 | 4 =>
  channels % 4 === 0 && kernel[0] * kernel[1] <= 256 ? 4 : 1;

const tapsLibrary = (width: 1 | 4): string => (width === 4 ? 'lib/taps_bytes.wgsl' : 'lib/taps_words.wgsl');
const tapsType = (width: 1 | 4): string => (width === 4 ? 'vec4u' : 'u32');

/** The launch of a forward pool; `partials`: where the moments of y go, if they are asked for. */
function forwardLaunch(
  { inputs: [source, affine], outputs, attributes, traits }: LaunchContext<MaxPool2dAttributes>,
  partials?: Operand,
): Launch {
  const x = required(source, 'max_pool2d: x');
  const y = required(outputs[0], 'max_pool2d: y');
  const indices = required(outputs[1], 'max_pool2d: indices');
  const width = tapsPerWord(channelsOf(x.shape), attributes);
  const grid = gridOf(y, width, traits, partials !== undefined);
  const prologue = affine ? 'lib/prologue_affine.wgsl' : 'lib/prologue_none.wgsl';
  const moments = gathering(partials);
  return {
    shader: 'max_pool2d.wgsl',
    entry: 'forward',
    libraries: ['lib/rows.wgsl', tapsLibrary(width), prologue, ...moments.libraries],
    constants: { T: vectorType(width), I: tapsType(width), ...grid.constants, ...moments.constants },
    bindings: { x, y, indices, ...(affine ? { affine } : {}), ...moments.bindings },
    uniforms: {
      ...grid.uniforms,
      ...poolUniforms(x.shape, y.shape, attributes),
      ...placement('x', x, width),
      ...placement('y', y, width),
      ...placement('indices', indices, 1),
      inChannels: grid.uniforms.channels,
      ...activationRange(attributes.prologue ?? 'none'),
    },
    workgroups: grid.workgroups,
  };
}

function pooledTypes(x: TensorType | undefined, attributes: Pool2dAttributes): TensorType[] {
  const shape = poolShape('max_pool2d', x?.shape, attributes);
  const words = channelsOf(shape) / tapsPerWord(channelsOf(shape), attributes);
  return [f32(...shape), { shape: [...shape.slice(0, -1), words], dtype: 'u32' }];
}

/** Max pooling (see maxPool2d) that also gives mean and biased variance of every channel of y: moments [1,1,2,C]. */
export const maxPool2dMoments: OpDefinition<MaxPool2dAttributes> = {
  name: 'max_pool2d_moments',
  inputs: ['x', 'affine?'],
  outputs: ['y', 'indices', 'moments'],
  half: { inputs: [0], outputs: [0] },
  stridedOutput: true,
  otherStridedOutputs: [2],
  prologue: { x: 0, affine: 1 },
  images: { whole: [1], combine: [undefined, undefined, mergedMoments] },
  shape: ([x], attributes) => [...pooledTypes(x, attributes), f32(1, 1, 2, channelsOf(x?.shape ?? []))],
  cost: windowCost,
  variants: [
    {
      name: 'rows',
      fits: () => true,
      scratch({ inputs: [x], attributes, traits }) {
        const [y] = pooledTypes(x, attributes) as [TensorType];
        const width = tapsPerWord(channelsOf(y.shape), attributes);
        return [partialMoments(gridOf(y, width, traits, true).chunks, channelsOf(y.shape))];
      },
      launches(context) {
        const partials = required(context.scratch[0], 'max_pool2d_moments: partials');
        const moments = required(context.outputs[2], 'max_pool2d_moments: moments');
        return [forwardLaunch(context, partials), mergePartials(partials, moments, context.traits)];
      },
    },
  ],
};

/**
 * Max pooling: x [N,H,W,C] -> y [N,OH,OW,C] and indices (u32 words of tapsPerWord bytes or one: the kernel's tap of each
 * first maximum). Padding never wins; ties go to the first in reading order, as in PyTorch. With `affine` [4,C] the input
 * is normalised and activated while it is loaded.
 */
export const maxPool2d: OpDefinition<MaxPool2dAttributes> = {
  name: 'max_pool2d',
  inputs: ['x', 'affine?'],
  outputs: ['y', 'indices'],
  half: { inputs: [0], outputs: [0] },
  stridedOutput: true,
  images: { whole: [1] },
  prologue: { x: 0, affine: 1 },
  moments: { op: maxPool2dMoments, fits: ({ traits }) => traits.kind === 'software' },
  shape: ([x], attributes) => pooledTypes(x, attributes),
  cost: windowCost,
  variants: [{ name: 'rows', fits: () => true, launches: (context) => [forwardLaunch(context)] }],
  backward({ inputs: [x, affine], outputs: [, indices], gradients: [dy], attributes, emit }) {
    if (!x || !dy || affine) return [];
    return emit(maxPool2dGradient, [dy, indices], { ...attributes, xShape: x.shape });
  },
};

/** Gradient of max pooling: dy [N,OH,OW,C] and its indices -> dx [N,H,W,C]. */
export const { gradient: maxPool2dGradient, batchNormGradient: maxPool2dBatchNormGradient } =
  gradientsOf<Pool2dAttributes>({
    name: 'max_pool2d',
    others: ['indices'],
    width: (xShape, attributes) => tapsPerWord(channelsOf(xShape), attributes),
    libraries: (width) => [tapsLibrary(width), 'lib/pooled_maximum.wgsl'],
    constants: (width) => ({ I: tapsType(width) }),
    bindings: ([taps]) => ({ taps: required(taps, 'max_pool2d gradient: indices') }),
    uniforms: (_attributes, [taps]) => ({
      countPadding: 0,
      indicesOffset: taps?.offset ?? 0,
      indicesStride: taps?.stride ?? 0,
    }),
  });
