import { required } from '../../base/errors.ts';
import { channelsOf, elementCount, rowsOf } from '../../base/shape.ts';
import { activationRange } from '../activation.ts';
import { at, type Element, type ElementOf, type ReferenceTensor, rounded } from '../reference.ts';
import type { BatchNormAttributes } from './apply.ts';

/** A sum of elements that each are a sum with a tolerance of its own. */
export class SumOfElements {
  #value = 0;
  #squares = 0;
  #inner = 0;
  #outer = 0;

  /** Adds element * factor; `magnitude`: size of the factor before anything cancelled inside of it. */
  add({ value, scale, terms }: Element, factor: number, magnitude = factor): void {
    this.#value += value * factor;
    this.#squares += (Math.max(scale, Math.abs(value)) * magnitude) ** 2;
    this.#inner = Math.max(this.#inner, terms);
    this.#outer++;
  }

  /** The sum divided by `divisor`. */
  element(divisor = 1): Element {
    const scale = Math.max(Math.sqrt(this.#squares), Math.abs(this.#value));
    return { value: this.#value / divisor, scale: scale / divisor, terms: this.#inner + this.#outer };
  }
}

/**
 * The gradient dz of a normalised and activated map, on through both: inputs x, affine and into;
 * dy = dz where low < x scale + shift < high, else 0; xhat = (x - mean) invStd.
 * Output 0: into + scale dy. Output 1: rows dgamma = sum of dy xhat and dbeta = sum of dy.
 */
export function throughBatchNorm(
  gradientAt: (index: number) => Element,
  inputs: readonly (ReferenceTensor | undefined)[],
  { activation }: BatchNormAttributes,
): ElementOf {
  const [x, affine] = [required(inputs[0], 'x'), required(inputs[1], 'affine')];
  const into = inputs[2];
  const channels = channelsOf(x.shape);
  const { low, high } = activationRange(activation);
  const row = (number: number, channel: number) => at(affine, number * channels + channel);
  const dy = Array.from({ length: elementCount(x.shape) }, (_, index): Element => {
    const activated = at(x, index) * row(0, index % channels) + row(1, index % channels);
    return activated > low && activated < high ? gradientAt(index) : { value: 0, scale: 0, terms: 0 };
  });
  const weightGradient = (index: number): Element => {
    const channel = index % channels;
    const sum = new SumOfElements();
    for (let pixel = 0; pixel < rowsOf(x.shape); pixel++) {
      const [value, mean, inverse] = [at(x, pixel * channels + channel), row(2, channel), row(3, channel)];
      const element = dy[pixel * channels + channel] as Element;
      if (index < channels) sum.add(element, (value - mean) * inverse, (Math.abs(value) + Math.abs(mean)) * inverse);
      else sum.add(element, 1);
    }
    return sum.element();
  };
  const dataGradient = (index: number): Element => {
    const { value, scale, terms } = dy[index] as Element;
    const [factor, before] = [row(0, index % channels), into ? at(into, index) : 0];
    return rounded(before + factor * value, Math.abs(before) + Math.abs(factor) * scale, terms + 2);
  };
  return (output, index) => (output === 0 ? dataGradient(index) : weightGradient(index));
}
