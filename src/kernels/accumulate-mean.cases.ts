import type { TensorType } from '../base/shape.ts';
import { accumulateMeanReference } from './accumulate-mean.reference.ts';
import { type AccumulateMeanAttributes, accumulateMean } from './accumulate-mean.ts';
import { filled, normal, words } from './draw.ts';
import type { Case, Emit, OpCases } from './reference.ts';

const part = (index: number) => words([2], [7, index]);

const later = (count: number): Case<AccumulateMeanAttributes> => ({
  name: `${count} elements, the second of 3 parts`,
  inputs: [normal(`accumulate mean ${count}`, [count]), normal(`accumulate x ${count}`, [count]), part(1)],
  attributes: { parts: 3 },
});

const first: Case<AccumulateMeanAttributes> = {
  name: 'the first part overwrites whatever was there',
  inputs: [filled([8], Number.NaN), normal('accumulate first x', [8]), part(0)],
  attributes: { parts: 4 },
};

const several: Case<AccumulateMeanAttributes> = {
  name: 'two batches of four parts in a row',
  inputs: [
    filled([12], 1e9),
    ...Array.from({ length: 8 }, (_, index) => [normal(`accumulate several x ${index}`, [12]), part(index % 4)]).flat(),
  ],
  attributes: { parts: 4 },
  trace<S extends TensorType>(emit: Emit<S>, [mean, ...parts]: readonly S[]): S[] {
    for (let at = 0; at < parts.length; at += 2) emit(accumulateMean, [mean, parts[at], parts[at + 1]], { parts: 4 });
    return [];
  },
};

export const accumulateMeanCases: OpCases<AccumulateMeanAttributes> = {
  op: accumulateMean,
  reference: accumulateMeanReference,
  cases: [later(1), later(7), later(64), later(1028), first, several],
};
