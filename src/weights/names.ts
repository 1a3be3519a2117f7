import { UserError } from '../base/errors.ts';
import type { StateDict } from './tensor-data.ts';

/** What DataParallel, torch.compile and training frameworks put before every name. */
const PREFIXES = ['module.', '_orig_mod.', 'model.'];

/** torchvision's DenseNet files of 2017, when a dense layer's parts had a dot in their names (torchvision/models/densenet.py). */
const OLD_DENSENET = /^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.(?:weight|bias|running_mean|running_var))$/;

/** Takes off the prefixes that all names have. */
function withoutPrefixes(names: readonly string[]): readonly string[] {
  const common = (list: readonly string[]) => PREFIXES.find((one) => list.every((name) => name.startsWith(one)));
  let rest = names;
  for (let prefix = common(rest); prefix !== undefined && rest.length > 0; prefix = common(rest)) {
    const { length } = prefix;
    rest = rest.map((name) => name.slice(length));
  }
  return rest;
}

/** The tensors under torchvision's present names: `denselayer1.norm.1.weight` becomes `denselayer1.norm1.weight`. */
export function normalizeNames(file: string, tensors: StateDict): StateDict {
  const names = withoutPrefixes([...tensors.keys()]).map((name) => name.replace(OLD_DENSENET, '$1$2'));
  const renamed: StateDict = new Map();
  for (const [index, tensor] of [...tensors.values()].entries()) {
    const name = names[index] as string;
    if (renamed.has(name)) {
      throw new UserError(
        `${file}: two tensors are called ${name} in torchvision's names, expected one; rename the other`,
      );
    }
    renamed.set(name, tensor);
  }
  return renamed;
}
