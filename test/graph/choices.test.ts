import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { type Choices, chooseVariant, NO_CHOICES, sizeKey } from '../../src/graph/choices.ts';
import { Graph } from '../../src/graph/graph.ts';
import { planGraph } from '../../src/graph/plan.ts';
import { conv2d } from '../../src/kernels/conv2d/index.ts';
import { f32, type OpDefinition, type Signature } from '../../src/kernels/definition.ts';
import { SOFTWARE_TRAITS } from '../support/traits.ts';

/** An op with a variant that never fits and two that do. */
const op: OpDefinition = {
  name: 'halve',
  inputs: ['x'],
  outputs: ['y'],
  shape: ([x]) => (x ? [x] : []),
  cost: () => ({ flops: 0, bytes: 0 }),
  variants: ['never', 'first', 'second'].map((name) => ({ name, fits: () => name !== 'never', launches: () => [] })),
};
const signature: Signature<unknown> = { inputs: [f32(4)], outputs: [f32(4)], attributes: {}, traits: SOFTWARE_TRAITS };
const key = sizeKey({ op, ...signature });

const choices = (variant: string, wrong: readonly string[] = []): Choices => ({
  choices: { [key]: variant },
  wrong: wrong.map((name) => ({ op: op.name, variant: name, size: 'another size', fault: 'it differs' })),
});
const taken = (given: Choices) => {
  const found = chooseVariant(op, signature, given);
  return [found?.variant.name, found?.misfit];
};

describe('the variant that is taken', () => {
  test('is the first that fits, or the one that is chosen for the size', () => {
    expect(taken(NO_CHOICES)).toEqual(['first', undefined]);
    expect(taken(choices('second'))).toEqual(['second', undefined]);
    const other = { ...choices('second'), choices: { [`${key} `]: 'second' } };
    expect(taken(other)).toEqual(['first', undefined]);
  });

  test('is the first that fits where the chosen one does not fit or does not exist, which is told', () => {
    expect(taken(choices('never'))).toEqual(['first', 'never']);
    expect(taken(choices('gone'))).toEqual(['first', 'gone']);
  });

  test('is none that is wrong at any size', () => {
    expect(taken({ ...choices('first', ['first']), choices: {} })).toEqual(['second', undefined]);
    expect(taken(choices('first', ['first']))).toEqual(['second', 'first']);
    const ofAnotherOp = { choices: {}, wrong: [{ op: 'double', variant: 'first', size: '', fault: '' }] };
    expect(taken(ofAnotherOp)).toEqual(['first', undefined]);
  });

  test('is a fault of the adapter where all that fit are wrong', () => {
    expect(() => taken(choices('second', ['first', 'second']))).toThrow(UserError);
    expect(() => taken(choices('second', ['first', 'second']))).toThrow(
      'halve is computed wrong on this adapter by all that fit (first, second): update its driver or use another --adapter',
    );
  });

  test('is none where none fits', () => {
    const hopeless = { ...op, variants: op.variants.slice(0, 1) };
    expect(chooseVariant(hopeless, signature, NO_CHOICES)).toBeUndefined();
  });
});

test('a size is an op with its shapes and attributes', () => {
  const base = { op: conv2d, inputs: [f32(1, 8, 8, 4), f32(3, 3, 4, 8), undefined], attributes: { stride: [1, 1] } };
  expect(sizeKey(base)).toBe('conv2d [1,8,8,4] [3,3,4,8] - {"stride":[1,1]}');
  const others = [
    { ...base, op: { ...conv2d, name: 'conv3d' } },
    { ...base, inputs: [f32(2, 8, 8, 4), ...base.inputs.slice(1)] },
    { ...base, inputs: [...base.inputs.slice(0, 2), f32(8)] },
    { ...base, attributes: { stride: [2, 2] } },
  ];
  expect(new Set([base, ...others].map(sizeKey)).size).toBe(5);
});

describe('a plan', () => {
  const plan = (given?: Choices) => {
    const graph = new Graph();
    const x = graph.input('x', [1, 8, 8, 4]);
    const weight = graph.input('weight', [3, 3, 4, 8]);
    const results = graph.emit(conv2d, [x, weight], { stride: [1, 1], padding: [1, 1], groups: 1 });
    const external = new Map([x, weight].map((one) => [one, { storage: one, offset: 0 }]));
    const options = { kept: new Set(results), external };
    return planGraph(graph, SOFTWARE_TRAITS, given ? { ...options, choices: given } : options);
  };
  const variants = ({ launches }: ReturnType<typeof plan>) => launches.map(({ variant }) => variant);

  test('gives what it took as choices that lead to the same plan', () => {
    const [first, last] = ['pixels', 'direct'];
    const whole = plan();
    expect(variants(whole)).toEqual([first]);
    const [size] = Object.keys(whole.choices) as [string];
    expect(whole.choices).toEqual({ [size]: first });
    const other = plan({ choices: { [size]: last }, wrong: [] });
    expect(variants(other)).toEqual([last]);
    expect(other).toMatchObject({ choices: { [size]: last }, misfits: {} });
    expect(variants(plan({ choices: other.choices, wrong: [] }))).toEqual([last]);
  });

  test('names the choices that it could not follow', () => {
    const [size] = Object.keys(plan().choices) as [string];
    const { choices: found, misfits } = plan({ choices: { [size]: 'gone' }, wrong: [] });
    expect({ found, misfits }).toEqual({ found: plan().choices, misfits: { [size]: 'gone' } });
  });
});
