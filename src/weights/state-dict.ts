import { UserError } from '../base/errors.ts';
import { normalizeNames } from './names.ts';
import { isPth, readPth } from './pth.ts';
import { isSafetensors, readSafetensors } from './safetensors.ts';
import type { StateDict, TensorData } from './tensor-data.ts';
import { zeros } from './tensor-data.ts';

export type { StateDict, TensorData } from './tensor-data.ts';

/** A parameter or buffer that a network has, by torchvision's name. */
export interface ExpectedTensor {
  readonly key: string;
  readonly shape: readonly number[];
}

export interface MatchOptions {
  /** Linear layers that may be of another size or absent in the file. Default: the last linear layer. */
  readonly heads?: readonly string[];
  /** Prefixes of tensors that either may have and the other not: `AuxLogits.`. */
  readonly optional?: readonly string[];
}

export interface MatchedWeights {
  /** What was loaded, in the order of the expected list. */
  readonly tensors: StateDict;
  /** Expected keys that keep their initial values: those of a replaced head. */
  readonly fresh: readonly string[];
  /** What the user should know, one line each. */
  readonly notes: readonly string[];
}

/** A mismatch lists so many tensors. */
const LISTED = 10;
/** Batch norm's count of batches: files of before 2018 lack it, and nothing here needs it. */
const BATCH_COUNT = '.num_batches_tracked';

/**
 * Reads a weights file, .safetensors or PyTorch's .pth in both formats, whatever its name; tensors come under
 * torchvision's present names. `file` is for messages. Throws UserError.
 */
export function readWeights(file: string, bytes: Uint8Array): StateDict {
  if (isSafetensors(bytes)) return normalizeNames(file, readSafetensors(file, bytes).tensors);
  if (isPth(bytes)) return normalizeNames(file, readPth(file, bytes));
  const start = [...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  throw new UserError(
    `${file}: ${bytes.length} bytes beginning with ${start || 'nothing'}, expected a .safetensors or .pth file; get it again`,
  );
}

/** What a weights file says of itself, as `train` writes it; nothing where it is no .safetensors. */
export const readMetadata = (file: string, bytes: Uint8Array): Readonly<Record<string, string>> =>
  isSafetensors(bytes) ? readSafetensors(file, bytes).metadata : {};

const described = (shape: readonly number[] | undefined) => (shape === undefined ? 'none' : `[${shape.join(', ')}]`);
const same = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((size, i) => size === b[i]);

/** The name of the last linear layer: `classifier`, `fc`, `classifier.6`. */
function lastLinear(expected: readonly ExpectedTensor[]): string[] {
  const weight = expected.findLast(({ key, shape }) => key.endsWith('.weight') && shape.length === 2);
  return weight === undefined ? [] : [weight.key.slice(0, -'.weight'.length)];
}

/** Whether the file's head takes as many features as the network's, and gives another number of outputs, or is absent. */
function isReplaced(head: string, tensors: StateDict, expected: readonly ExpectedTensor[]): boolean {
  const wanted = expected.find(({ key }) => key === `${head}.weight`)?.shape;
  const got = tensors.get(`${head}.weight`)?.shape;
  if (wanted === undefined) return false;
  return got === undefined
    ? !tensors.has(`${head}.bias`)
    : got.length === 2 && got[1] === wanted[1] && got[0] !== wanted[0];
}

/**
 * Fits a file's tensors to a network's. A head of another number of outputs, or none, and an optional module that the
 * file lacks are left to their initial values and noted. A missing num_batches_tracked is 0. Any other difference throws
 * a UserError with names and shapes.
 */
export function matchWeights(
  file: string,
  tensors: StateDict,
  expected: readonly ExpectedTensor[],
  { heads = lastLinear(expected), optional = [] }: MatchOptions = {},
): MatchedWeights {
  const absent = optional.filter(
    (prefix) =>
      expected.some(({ key }) => key.startsWith(prefix)) && ![...tensors.keys()].some((key) => key.startsWith(prefix)),
  );
  const isAbsent = (key: string) => absent.some((prefix) => key.startsWith(prefix));
  const replaced = heads.filter((head) => !isAbsent(`${head}.`) && isReplaced(head, tensors, expected));
  const isFresh = (key: string) =>
    isAbsent(key) || replaced.some((head) => key === `${head}.weight` || key === `${head}.bias`);
  const loaded = new Map<string, TensorData>();
  const wrong: string[] = [];
  for (const { key, shape } of expected.filter((one) => !isFresh(one.key))) {
    const tensor = tensors.get(key);
    if (tensor !== undefined && same(tensor.shape, shape)) loaded.set(key, tensor);
    else if (tensor === undefined && key.endsWith(BATCH_COUNT))
      loaded.set(key, { dtype: 'I64', shape, data: zeros('I64', 1) });
    else wrong.push(`${key} ${described(tensor?.shape)}, expected ${described(shape)}`);
  }
  const known = new Set(expected.map(({ key }) => key));
  const unused = optional.filter((prefix) => !expected.some(({ key }) => key.startsWith(prefix)));
  const skipped = (key: string) => key.endsWith(BATCH_COUNT) || unused.some((prefix) => key.startsWith(prefix));
  for (const [key, { shape }] of tensors) {
    if (!known.has(key) && !isFresh(key) && !skipped(key)) wrong.push(`${key} ${described(shape)}, expected none`);
  }
  if (wrong.length > 0) throw new UserError(mismatch(file, wrong));
  const notes = [
    ...replaced.map((head) => headNote(file, head, tensors, expected)),
    ...absent.map((prefix) => `${file} has no ${prefix.replace(/\.$/, '')}: it starts anew`),
  ];
  return { tensors: loaded, fresh: expected.map(({ key }) => key).filter(isFresh), notes };
}

function mismatch(file: string, wrong: readonly string[]): string {
  const more = wrong.length > LISTED ? `; and ${wrong.length - LISTED} more` : '';
  const tensors = wrong.length === 1 ? '1 tensor does' : `${wrong.length} tensors do`;
  return `${file}: ${tensors} not fit the network (is it another --model?): ${wrong.slice(0, LISTED).join('; ')}${more}`;
}

function headNote(file: string, head: string, tensors: StateDict, expected: readonly ExpectedTensor[]): string {
  const outputs = expected.find(({ key }) => key === `${head}.weight`)?.shape[0];
  const got = tensors.get(`${head}.weight`)?.shape[0];
  const has = got === undefined ? `has no ${head}` : `has ${got} outputs in ${head}`;
  return `${file} ${has}: replaced by a new layer with ${outputs === 1 ? '1 output' : `${outputs} outputs`}`;
}
