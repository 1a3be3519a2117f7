import { UserError } from '../base/errors.ts';
import type { StateDict } from './tensor-data.ts';

/** What DataParallel, torch.compile and training frameworks put before every name. */
const PREFIXES = ['module.', '_orig_mod.', 'model.'];

/** torchvision's DenseNet files of 2017, when a dense layer's parts had a dot in their names (torchvision/models/densenet.py). */
const OLD_DENSENET = /^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.(?:weight|bias|running_mean|running_var))$/;

/** Takes off the prefixes that all names have. */
function withoutPrefixes(names: readonly string[]): string[] {
  const prefix = PREFIXES.find((one) => names.length > 0 && names.every((name) => name.startsWith(one)));
  return prefix === undefined ? [...names] : withoutPrefixes(names.map((name) => name.slice(prefix.length)));
}

/** The tensors under torchvision's present names: `denselayer1.norm.1.weight` becomes `denselayer1.norm1.weight`. */
export function normalizeNames(file: string, tensors: StateDict): StateDict {
  const names = withoutPrefixes([...tensors.keys()]).map((name) => name.replace(OLD_DENSENET, '$1$2'));
  const renamed: StateDict = new Map([...tensors.values()].map((tensor, index) => [names[index] as string, tensor]));
  if (renamed.size === tensors.size) return renamed;
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  throw new UserError(
    `${file}: two tensors are called ${twice} in torchvision's names, expected one; rename the other`,
  );
}
