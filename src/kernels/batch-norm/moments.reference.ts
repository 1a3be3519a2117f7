import { channelsOf, elementCount, type Shape } from '../../base/shape.ts';
import type { Element, ElementOf } from '../reference.ts';
import { SumOfElements } from './epilogue.reference.ts';

/**
 * The moments of a computed map y [N,H,W,C]: row 0 the mean, row 1 the mean of (y - mean)^2. Where |mean| is large against
 * sigma, the means of parts differ by up to sigma, by which they are merged: an error of about eps |mean| sigma.
 */
function momentsOfElements(elementAt: (index: number) => Element, shape: Shape): (index: number) => Element {
  const channels = channelsOf(shape);
  const rows = elementCount(shape) / channels;
  let known: Element[] | undefined;
  const column = (channel: number): Element[] => {
    known ??= Array.from({ length: rows * channels }, (_, index) => elementAt(index));
    const elements = known;
    return Array.from({ length: rows }, (_, row) => elements[row * channels + channel] as Element);
  };
  return (index) => {
    const elements = column(index % channels);
    const total = new SumOfElements();
    for (const element of elements) total.add(element, 1);
    const mean = total.element(rows);
    if (index < channels) return mean;
    const squares = new SumOfElements();
    for (const { value, scale, terms } of elements) {
      squares.add({ value: value - mean.value, scale: 2 * scale, terms }, value - mean.value);
    }
    const variance = squares.element(rows);
    const ofMerging = (Math.abs(mean.value) * Math.sqrt(variance.value)) / Math.sqrt(variance.terms);
    return { ...variance, scale: variance.scale + ofMerging };
  };
}

/** An op's reference with the moments of its first output as one output more, number `output`. */
export function withMomentsOfFirst(elementOf: ElementOf, shape: Shape, output: number): ElementOf {
  const momentsAt = momentsOfElements((index) => elementOf(0, index), shape);
  return (which, index) => (which === output ? momentsAt(index) : elementOf(which, index));
}
