import { required } from '../../base/errors.ts';
import { channelsOf, elementCount } from '../../base/shape.ts';
import { f32, type Launch, type OpDefinition, type Operand } from '../definition.ts';
import { bytesOf, type ChannelGrid, gridOf, placement, vectorType, vectorWidth } from '../launch.ts';

interface Operands {
  readonly x?: Operand;
  readonly affine: Operand;
  readonly dweight?: Operand;
  readonly coefficients?: Operand;
  readonly sums?: Operand;
  readonly dx?: Operand;
}

/** A launch of batch_norm_correction.wgsl; operands that an entry does not use are left out. */
function correctionLaunch(
  entry: 'sum_coefficients' | 'correct',
  operands: Operands,
  grid: ChannelGrid,
  { width, meanShare = 0, accumulate = false }: { width: 1 | 4; meanShare?: number; accumulate?: boolean },
): Launch {
  const { affine, dweight } = operands;
  const coefficients = required(operands.sums ?? operands.coefficients, 'coefficients');
  const { x = coefficients, dx = coefficients } = operands;
  return {
    shader: 'batch_norm_correction.wgsl',
    entry,
    libraries: ['lib/rows.wgsl'],
    constants: { T: vectorType(width), ...grid.constants },
    bindings: { ...operands },
    uniforms: {
      ...grid.uniforms,
      ...placement('x', x, width),
      ...placement('affine', affine, width),
      dweightOffset: (dweight?.offset ?? 0) / width,
      ...placement('coefficients', coefficients, width),
      ...placement('dx', dx, width),
      accumulate: accumulate ? 1 : 0,
      meanShare,
    },
    workgroups: grid.workgroups,
  };
}

/**
 * Coefficients of what the batch's statistics add to the gradient of a normalised map: dweight [2,C] (dgamma, dbeta),
 * affine [4,C] -> [1,1,2,C]: slope = -scale dgamma / (sigma count) and constant = -scale dbeta / count, added to `into`.
 */
export const batchNormCoefficients: OpDefinition<{
  /** Values per channel that the statistics come from. */
  readonly count: number;
}> = {
  name: 'batch_norm_coefficients',
  inputs: ['dweight', 'affine', 'into?'],
  outputs: ['coefficients'],
  stridedOutput: true,
  accumulates: 2,
  shape: ([, affine]) => [f32(1, 1, 2, channelsOf(affine?.shape ?? []))],
  cost: ({ inputs, outputs }) => ({
    flops: 6 * channelsOf(outputs[0]?.shape ?? []),
    bytes: bytesOf(...inputs, ...outputs),
  }),
  variants: [
    {
      name: 'channels',
      fits: () => true,
      launches({ inputs, outputs, attributes, traits }) {
        const dweight = required(inputs[0], 'batch_norm_coefficients: dweight');
        const affine = required(inputs[1], 'batch_norm_coefficients: affine');
        const sums = required(outputs[0], 'batch_norm_coefficients: coefficients');
        const width = vectorWidth(dweight, affine, sums);
        const grid = gridOf({ ...sums, shape: [1, channelsOf(sums.shape)] }, width, traits);
        const options = { width, meanShare: 1 / attributes.count, accumulate: inputs[2] !== undefined };
        return [correctionLaunch('sum_coefficients', { affine, dweight, sums }, grid, options)];
      },
    },
  ],
};

/**
 * The gradient of a normalised map with what the batch's statistics add, once for all normalisations that read it:
 * gradient and x [N,H,W,C], affine [4,C] of one of them, coefficients [1,1,2,C] of all (batchNormCoefficients, added up)
 * -> gradient + slope (x - mean) + constant, in the gradient's memory.
 */
export const batchNormCorrection: OpDefinition<Record<never, never>> = {
  name: 'batch_norm_correction',
  inputs: ['gradient', 'x', 'affine', 'coefficients'],
  outputs: ['dx'],
  half: { inputs: [0, 1], outputs: [0] },
  stridedOutput: true,
  accumulates: 0,
  images: { whole: [2, 3] },
  shape: ([, x]) => [f32(...(x?.shape ?? []))],
  cost: ({ inputs: [gradient, x], outputs }) => ({
    flops: 4 * elementCount(x?.shape ?? []),
    bytes: bytesOf(gradient, x, ...outputs),
  }),
  variants: [
    {
      name: 'rows',
      fits: () => true,
      launches({ inputs, outputs, traits }) {
        const x = required(inputs[1], 'batch_norm_correction: x');
        const affine = required(inputs[2], 'batch_norm_correction: affine');
        const coefficients = required(inputs[3], 'batch_norm_correction: coefficients');
        const dx = required(outputs[0], 'batch_norm_correction: dx');
        const width = vectorWidth(x, affine, coefficients, dx);
        return [correctionLaunch('correct', { x, affine, coefficients, dx }, gridOf(x, width, traits), { width })];
      },
    },
  ],
};
