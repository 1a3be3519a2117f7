import type { TensorType } from '../base/shape.ts';
import { adamReference } from './adam.reference.ts';
import { adam, STEP_WORDS } from './adam.ts';
import { filled, normal, uniform, words } from './draw.ts';
import type { Case, CaseInput, Emit, OpCases } from './reference.ts';

const BETA1 = 0.9;
const BETA2 = 0.999;

/** The words of step number `t` (from 1) with torch.optim.Adam's defaults. */
export function adamStep(t: number, rate: number, unscale = 1): CaseInput {
  const scalars = Float32Array.of(
    0,
    rate / (1 - BETA1 ** t),
    1 / Math.sqrt(1 - BETA2 ** t),
    1 - BETA1,
    1 - BETA2,
    1e-8,
    unscale,
  );
  const bits = new Uint32Array(scalars.buffer);
  bits[0] = t;
  return words([STEP_WORDS], bits);
}

const later = (count: number): Case<Record<never, never>> => ({
  name: `${count} parameters, step 12`,
  inputs: [
    normal(`adam p ${count}`, [count]),
    normal(`adam g ${count}`, [count], { deviation: 1e-3 }),
    normal(`adam m ${count}`, [count], { deviation: 1e-3 }),
    uniform(`adam v ${count}`, [count], 0, 1e-6),
    adamStep(12, 1e-4),
  ],
  attributes: {},
});

const first: Case<Record<never, never>> = {
  name: 'the first step, a gradient of 0 among others',
  inputs: [
    normal('adam first p', [5]),
    { ...normal('adam first g', [5]), values: Float32Array.of(0, 1, -1e-4, 1e-8, 30) },
    filled([5], 0),
    filled([5], 0),
    adamStep(1, 1e-4),
  ],
  attributes: {},
};

const scaled: Case<Record<never, never>> = {
  name: 'gradients of a loss times 1024',
  inputs: [
    normal('adam scaled p', [9]),
    normal('adam scaled g', [9], { deviation: 10 }),
    normal('adam scaled m', [9], { deviation: 1e-3 }),
    uniform('adam scaled v', [9], 0, 1e-6),
    adamStep(12, 1e-4, 2 ** -10),
  ],
  attributes: {},
};

const leftOut: Case<Record<never, never>> = {
  name: 'left out: infinite gradients change nothing',
  inputs: [
    normal('adam left out p', [8]),
    filled([8], Number.POSITIVE_INFINITY),
    normal('adam left out m', [8], { deviation: 1e-3 }),
    uniform('adam left out v', [8], 0, 1e-6),
    adamStep(12, 1e-4, 0),
  ],
  attributes: {},
};

const several: Case<Record<never, never>> = {
  name: 'four steps in a row',
  inputs: [
    normal('adam several p', [12]),
    filled([12], 0),
    filled([12], 0),
    ...[1, 2, 3, 4].flatMap((t) => [normal(`adam several g ${t}`, [12]), adamStep(t, 1e-3)]),
  ],
  attributes: {},
  trace<S extends TensorType>(emit: Emit<S>, [p, m, v, ...steps]: readonly S[]): S[] {
    for (let at = 0; at < steps.length; at += 2) emit(adam, [p, steps[at], m, v, steps[at + 1]], {});
    return [];
  },
};

export const adamCases: OpCases<Record<never, never>> = {
  op: adam,
  reference: adamReference,
  cases: [later(1), later(7), later(64), later(1028), first, scaled, leftOut, several],
};
