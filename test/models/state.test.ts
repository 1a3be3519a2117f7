import { describe, expect, test } from 'vitest';
import { multiplyAccumulates } from '../../src/models/arithmetic.ts';
import { inception } from '../../src/models/inception.ts';
import { models } from '../../src/models/index.ts';
import { parameterCount, stateKeys, stateSpecs } from '../../src/models/model.ts';
import { readGolden } from '../support/golden.ts';

/** Of a file that oracle/pack.py made. */
interface Facts {
  readonly parameters: number;
  readonly parameters_one_output: number;
  readonly macs: { readonly '224_head1': number; readonly '320_head1': number };
  readonly head: string;
  readonly state_dict: readonly [key: string, shape: number[]][];
  readonly state_dict_1000_differs_in: readonly [key: string, shape: number[]][];
  readonly without_aux: { readonly parameters: number } | null;
}

const facts = readGolden<Record<string, Facts>>('models.json.gz');

test("the paper's networks are all here", () => {
  expect(models.map(({ name }) => name).sort()).toEqual(Object.keys(facts).sort());
});

describe.each(models)('$name', (definition) => {
  const published = facts[definition.name] as Facts;

  test('has as many parameters as published', () => {
    expect(parameterCount(stateSpecs(definition, 1000))).toBe(published.parameters);
    expect(parameterCount(stateSpecs(definition, 1))).toBe(published.parameters_one_output);
  });

  test("has torchvision's keys and shapes in torchvision's order", () => {
    const named = (entries: Facts['state_dict']) => entries.map(([key, shape]) => ({ key, shape }));
    expect(stateKeys(stateSpecs(definition, 1))).toEqual(named(published.state_dict));
    const of1000 = new Map(published.state_dict_1000_differs_in);
    expect(stateKeys(stateSpecs(definition, 1000))).toEqual(
      named(published.state_dict.map(([key, shape]) => [key, of1000.get(key) ?? shape])),
    );
  });

  test('takes as many multiply-accumulates as published', () => {
    expect(multiplyAccumulates(definition, 320)).toBe(published.macs['320_head1']);
    expect(multiplyAccumulates(definition, 224)).toBe(published.macs['224_head1']);
  });

  test("names torchvision's last linear layer as its head", () => {
    expect(definition.head).toBe(published.head);
  });
});

test('Inception V3 without its auxiliary classifier has as many parameters as published', () => {
  const without = facts.inception_v3?.without_aux?.parameters;
  expect(parameterCount(stateSpecs(inception({ auxiliary: false }), 1))).toBe(without);
});
