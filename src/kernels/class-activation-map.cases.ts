import { Random } from '../base/random.ts';
import type { Shape } from '../base/shape.ts';
import { classActivationMapReference } from './class-activation-map.reference.ts';
import { type ClassActivationMapAttributes, classActivationMap } from './class-activation-map.ts';
import { normal, words } from './draw.ts';
import type { Case, OpCases } from './reference.ts';

function camCase(
  name: string,
  maps: Shape,
  outputs: number,
  attributes: ClassActivationMapAttributes,
): Case<ClassActivationMapAttributes> {
  const random = new Random(attributes.height, attributes.width);
  const count = Math.ceil((attributes.planes * attributes.height * attributes.width) / 4);
  const pixels = Array.from({ length: count }, () => random.bits());
  return {
    name,
    inputs: [
      normal(`cam ${name}.maps`, maps),
      normal(`cam ${name}.weight`, [1, 1, maps[3] as number, outputs]),
      words([count], pixels),
    ],
    attributes,
  };
}

export const classActivationMapCases: OpCases<ClassActivationMapAttributes> = {
  op: classActivationMap,
  reference: classActivationMapReference,
  maps: [0],
  cases: [
    camCase('grey, second image', [2, 3, 2, 8], 1, { image: 1, height: 13, width: 11, planes: 1, opacity: 0.6 }),
    camCase('colour, odd channels', [1, 4, 4, 5], 3, { image: 0, height: 16, width: 16, planes: 3, opacity: 1 }),
    camCase('one place', [1, 1, 1, 4], 1, { image: 0, height: 5, width: 3, planes: 1, opacity: 0.5 }),
    camCase('a picture smaller than the maps', [1, 5, 6, 4], 1, {
      image: 0,
      height: 3,
      width: 4,
      planes: 3,
      opacity: 0.3,
    }),
  ],
};
