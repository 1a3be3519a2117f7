import { required } from '../../base/errors.ts';
import { activationRange } from '../activation.ts';
import type { LaunchContext, Operand } from '../definition.ts';
import { placement } from '../launch.ts';
import type { DataGradientAttributes } from './geometry.ts';
import { type Conv2dAttributes, geometryOf, prologueOf } from './geometry.ts';
import type { WeightGradientAttributes } from './weight-gradient.ts';

type Named = Readonly<Record<string, Operand>>;

/** The library file and bindings of what is done to a result before it is stored (lib/output_*.wgsl). */
function outputOf({ inputs, attributes }: LaunchContext<Conv2dAttributes>): { library: string; bindings: Named } {
  const [, , , , outputAffine, residual] = inputs;
  if (residual) {
    const bindings = { outputAffine: required(outputAffine, 'conv2d: the map of the sum'), residual };
    return { library: 'lib/output_affine_residual.wgsl', bindings };
  }
  if (outputAffine) return { library: 'lib/output_affine.wgsl', bindings: { outputAffine } };
  return { library: `lib/output_${attributes.activation ? 'activation' : 'none'}.wgsl`, bindings: {} };
}

/** Operands of a forward launch, and the libraries, bindings and uniforms of its prologue, bias and output. */
export function forwardOperands(context: LaunchContext<Conv2dAttributes>) {
  const { inputs, outputs, attributes } = context;
  const x = required(inputs[0], 'conv2d: x');
  const w = required(inputs[1], 'conv2d: weight');
  const y = required(outputs[0], 'conv2d: y');
  const [, , bias, affine, , residual] = inputs;
  const [prologue, output] = [prologueOf(affine), outputOf(context)];
  return {
    geometry: geometryOf('conv2d', x.shape, w.shape, attributes),
    x,
    w,
    y,
    libraries: [prologue.library, bias ? 'lib/bias_vector.wgsl' : 'lib/bias_none.wgsl', output.library],
    bindings: { x, w, y, ...prologue.bindings, ...(bias ? { bias } : {}), ...output.bindings },
    uniforms: (width: 1 | 4) => ({
      ...placement('x', x, width),
      wOffset: w.offset / width,
      biasOffset: (bias?.offset ?? 0) / width,
      ...placement('y', y, width),
      ...activationRange(attributes.prologue ?? 'none'),
      ...outputUniforms(residual, attributes, width),
    }),
  };
}

/** Uniforms of lib/output_*.wgsl. */
export function outputUniforms(
  residual: Operand | undefined,
  attributes: Conv2dAttributes,
  width: 1 | 4,
): Record<string, number> {
  const { low, high } = activationRange(attributes.activation ?? 'none');
  return {
    residualOffset: (residual?.offset ?? 0) / width,
    residualStride: (residual?.stride ?? 0) / width,
    outLow: low,
    outHigh: high,
  };
}

export function dataGradientOperands({ inputs, outputs, attributes }: LaunchContext<DataGradientAttributes>) {
  const dy = required(inputs[0], 'conv2d_data_gradient: dy');
  const w = required(inputs[1], 'conv2d_data_gradient: weight');
  const dx = required(outputs[0], 'conv2d_data_gradient: dx');
  const geometry = geometryOf('conv2d_data_gradient', attributes.xShape, w.shape, attributes);
  return { geometry, dy, w, dx, accumulate: inputs[2] !== undefined };
}

/** Operands of a weight gradient; `target` is the scratch of a split, or dw itself where there is none. */
export function weightGradientOperands(context: LaunchContext<WeightGradientAttributes>) {
  const { inputs, outputs, attributes } = context;
  const x = required(inputs[0], 'conv2d_weight_gradient: x');
  const dy = required(inputs[1], 'conv2d_weight_gradient: dy');
  const dw = required(outputs[0], 'conv2d_weight_gradient: dweight');
  const [partials] = context.scratch;
  const prologue = prologueOf(inputs[2]);
  const target = partials ?? dw;
  return {
    geometry: geometryOf('conv2d_weight_gradient', x.shape, attributes.weightShape, attributes),
    x,
    dy,
    dw,
    partials,
    target,
    libraries: [prologue.library],
    bindings: { x, dy, dw: target, ...prologue.bindings },
  };
}
