import { UserError } from '../base/errors.ts';
import type { ModelDefinition } from './definition.ts';
import { densenets } from './densenet.ts';

/** Every network of the paper that is built so far, in Table 3's order. */
export const models: readonly ModelDefinition[] = [...densenets];

/** The network of that name; an unknown name is an error that lists the known ones. */
export function findModel(name: string): ModelDefinition {
  const model = models.find((one) => one.name === name);
  if (!model)
    throw new UserError(`unknown model "${name}": expected one of ${models.map((one) => one.name).join(', ')}`);
  return model;
}
