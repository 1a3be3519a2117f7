import { required } from '../../base/errors.ts';
import type { LaunchContext } from '../definition.ts';
import type { DataGradientAttributes } from './geometry.ts';
import { type Conv2dAttributes, geometryOf, prologueOf } from './geometry.ts';
import type { WeightGradientAttributes } from './weight-gradient.ts';

/** Operands of a forward launch, and the libraries and bindings of its prologue and bias. */
export function forwardOperands({ inputs, outputs, attributes }: LaunchContext<Conv2dAttributes>) {
  const x = required(inputs[0], 'conv2d: x');
  const w = required(inputs[1], 'conv2d: weight');
  const y = required(outputs[0], 'conv2d: y');
  const [, , bias, affine] = inputs;
  const prologue = prologueOf(affine);
  return {
    geometry: geometryOf('conv2d', x.shape, w.shape, attributes),
    x,
    w,
    y,
    bias,
    libraries: [prologue.library, bias ? 'lib/bias_vector.wgsl' : 'lib/bias_none.wgsl'],
    bindings: { x, w, y, ...prologue.bindings, ...(bias ? { bias } : {}) },
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
