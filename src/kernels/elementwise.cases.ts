import type { Shape } from '../base/shape.ts';
import { given, grid, normal, words } from './draw.ts';
import {
  activationGradientReference,
  activationReference,
  addReference,
  copyReference,
  dropoutReference,
} from './elementwise.reference.ts';
import { activate, activateGradient, add, copy, type DropoutAttributes, dropout } from './elementwise.ts';
import type { Case, OpCases } from './reference.ts';

const shapes: readonly Shape[] = [
  [1, 1, 1, 1],
  [2, 3, 5, 3],
  [3, 7, 2, 5],
  [1, 5, 3, 4],
  [2, 4, 3, 32],
  [2, 11, 9, 36],
];

const everyShape = <A>(build: (name: string, shape: Shape) => Case<A>): Case<A>[] =>
  shapes.map((shape) => build(shape.join('x'), shape));

const dropoutCase = (
  name: string,
  shape: Shape,
  step: number,
  attributes: DropoutAttributes,
): Case<DropoutAttributes> => ({
  name: `${name}, probability ${attributes.probability}, step ${step}${attributes.first ? `, from ${attributes.first}` : ''}`,
  inputs: [normal(`${name}.x`, shape), words([1], [step])],
  attributes,
  differentiate: [0],
});

/** Numbers on both sides of the kinks at 0 and 6, an odd multiple of 1/128 away from them. */
const offKinks = (name: string, shape: Shape) => grid(name, shape, { reach: 9, offset: 1 / 128 });

const kinds = ['relu', 'relu6'] as const;

export const elementwiseCases: readonly OpCases[] = [
  {
    op: copy,
    reference: copyReference,
    maps: [0],
    cases: everyShape((name, shape) => ({ name, inputs: [normal(`copy ${name}`, shape)], attributes: {} })),
  },
  {
    op: add,
    reference: addReference,
    maps: [0, 1],
    cases: [
      ...everyShape((name, shape) => ({
        name,
        inputs: [normal(`add a ${name}`, shape), normal(`add b ${name}`, shape)],
        attributes: {},
        differentiate: [0, 1],
      })),
    ],
  },
  {
    op: activate,
    reference: activationReference,
    maps: [0],
    cases: kinds.flatMap((activation) => [
      ...everyShape((name, shape) => ({
        name: `${activation} ${name}`,
        inputs: [offKinks(`activation ${name}`, shape)],
        attributes: { activation },
        differentiate: [0],
      })),
      { name: `${activation} at its kinks`, inputs: [given([1, 1, 1, 4], [0, 6, -0, 7])], attributes: { activation } },
    ]),
  },
  {
    op: activateGradient,
    reference: activationGradientReference,
    maps: [0, 1],
    cases: kinds.flatMap((activation) => [
      ...everyShape((name, shape) => ({
        name: `${activation} ${name}`,
        inputs: [offKinks(`activation ${name}`, shape), normal(`activation dy ${name}`, shape)],
        attributes: { activation },
      })),
      {
        name: `${activation}: no gradient at its kinks`,
        inputs: [given([1, 1, 1, 4], [0, 6, -0, 3]), given([1, 1, 1, 4], [1, 2, 3, 4])],
        attributes: { activation },
      },
    ]),
  },
  {
    op: dropout,
    reference: dropoutReference,
    maps: [0],
    cases: [
      ...everyShape((name, shape) => dropoutCase(name, shape, 7, { probability: 0.3, seed: 0x811c9dc5 })),
      dropoutCase('2x4x3x32', [2, 4, 3, 32], 0, { probability: 0.5, seed: 1 }),
      dropoutCase('2x4x3x32', [2, 4, 3, 32], 4294967295, { probability: 0, seed: 4294967295 }),
      dropoutCase('2x3x5x7', [2, 3, 5, 7], 3, { probability: 0.4, seed: 9, first: 210 }),
    ],
  },
];
