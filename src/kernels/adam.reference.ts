import { required } from '../base/errors.ts';
import { at, exact, floatAt, type Reference, type ReferenceTensor, rounded } from './reference.ts';

/** torch.optim.Adam's step; outputs: p, m and v afterwards. The step's words are described in adam.ts. */
export const adamReference: Reference<Record<never, never>> = (inputs) => {
  const [p, g, m, v, step] = inputs.map((input) => required(input, 'adam: input')) as [
    ReferenceTensor,
    ReferenceTensor,
    ReferenceTensor,
    ReferenceTensor,
    ReferenceTensor,
  ];
  const [stepSize, rootCorrection] = [floatAt(step, 1), floatAt(step, 2)];
  const [share1, share2, epsilon, unscale] = [3, 4, 5, 6].map((word) => floatAt(step, word)) as [
    number,
    number,
    number,
    number,
  ];
  return (output, index) => {
    if (unscale === 0) return exact(at([p, m, v][output] as ReferenceTensor, index));
    const gradient = unscale * at(g, index);
    const mSize = (1 - share1) * Math.abs(at(m, index)) + share1 * Math.abs(gradient);
    const first = (1 - share1) * at(m, index) + share1 * gradient;
    const second = (1 - share2) * at(v, index) + share2 * gradient ** 2;
    if (output === 1) return rounded(first, Math.abs(at(m, index)) + mSize);
    if (output === 2) return rounded(second, second);
    const change = (size: number) => (stepSize * size) / (Math.sqrt(second) * rootCorrection + epsilon);
    return rounded(at(p, index) - change(first), Math.abs(at(p, index)) + change(mSize), 4);
  };
};
