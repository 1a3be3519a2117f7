import { UserError } from '../base/errors.ts';
import type { ModelDefinition } from './definition.ts';
import { densenets } from './densenet.ts';
import { inception } from './inception.ts';
import { mobilenetV2 } from './mobilenet.ts';
import { resnets } from './resnet.ts';
import { vggs } from './vgg.ts';

/** Every network of the paper, in Table 3's order. */
export const models: readonly ModelDefinition[] = [
  ...densenets,
  inception({ auxiliary: true }),
  mobilenetV2,
  ...resnets,
  ...vggs,
];

/** The network of that name; an unknown name is an error that lists the known ones. */
export function findModel(name: string): ModelDefinition {
  const model = models.find((one) => one.name === name);
  if (!model)
    throw new UserError(`unknown model "${name}": expected one of ${models.map((one) => one.name).join(', ')}`);
  return model;
}
