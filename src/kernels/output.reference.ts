import { channelsOf } from '../base/shape.ts';
import { type Activation, activationRange } from './activation.ts';
import { at, type Element, type ReferenceTensor } from './reference.ts';

/** What is done to a result before it is stored (OutputSlots in definition.ts); activation(value scale + shift + residual). */
export function outputElement(
  { value, scale: size, terms }: Element,
  index: number,
  { affine, residual }: { affine?: ReferenceTensor | undefined; residual?: ReferenceTensor | undefined },
  activation: Activation | undefined,
): Element {
  if (!affine && !residual && !activation) return { value, scale: size, terms };
  const channels = affine ? channelsOf(affine.shape) : 1;
  const [scale, shift] = affine ? [at(affine, index % channels), at(affine, channels + (index % channels))] : [1, 0];
  const added = residual ? at(residual, index) : 0;
  const { low, high } = activationRange(activation ?? 'none');
  return {
    value: Math.min(high, Math.max(low, value * scale + shift + added)),
    scale: Math.max(size, Math.abs(value)) * Math.abs(scale) + Math.abs(shift) + Math.abs(added),
    terms: terms + 2,
  };
}
