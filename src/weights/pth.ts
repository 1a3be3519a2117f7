import { UserError } from '../base/errors.ts';
import { MemoryBudget } from './memory-budget.ts';
import { readPickle } from './pickle.ts';
import type { PickleValue } from './pickle-values.ts';
import { kindOf, PickleDict, PickleList } from './pickle-values.ts';
import type { StateDict } from './tensor-data.ts';
import { elementBytes } from './tensor-data.ts';
import { Storage, StridedTensor, TensorReader, torchRules } from './torch-tensors.ts';
import { isZip, readZip } from './zip.ts';

const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;

/** Under these a training script puts the state_dict beside its epoch and its optimiser. */
const WRAPPERS = ['state_dict', 'model_state_dict', 'model', 'module', 'net'];

/** What a checkpoint's pickles say: its root, and the bytes of the storages. */
interface Checkpoint {
  readonly root: PickleValue;
  readonly storages: ReadonlyMap<string, Uint8Array>;
}

/** Whether the bytes begin as torch.save's files do: a zip archive, or a pickle. */
export function isPth(bytes: Uint8Array): boolean {
  const protocol = bytes[1] ?? 0;
  return isZip(bytes) || (bytes[0] === 0x80 && protocol >= 2 && protocol <= 5);
}

/** torch.save since 1.6: ARCHIVE/data.pkl, ARCHIVE/data/KEY. */
function readArchive(file: string, bytes: Uint8Array, budget: MemoryBudget): Checkpoint {
  const entries = readZip(file, bytes, budget);
  const pickleName = [...entries.keys()].find((name) => name === 'data.pkl' || name.endsWith('/data.pkl'));
  const prefix = pickleName?.slice(0, -'data.pkl'.length) ?? '';
  if (pickleName === undefined || entries.has(`${prefix}constants.pkl`)) {
    const what = pickleName === undefined ? 'a zip archive without data.pkl' : 'a TorchScript model';
    throw new UserError(
      `${file}: is ${what}, expected a state_dict; write one with torch.save(model.state_dict(), path)`,
    );
  }
  const order = entries.get(`${prefix}byteorder`);
  if (order !== undefined && new TextDecoder().decode(order) !== 'little') {
    throw new UserError(`${file}: is of a big-endian machine, expected little-endian; save it again on another`);
  }
  const storages = new Map<string, Uint8Array>();
  for (const [name, data] of entries) {
    if (name.startsWith(`${prefix}data/`)) storages.set(name.slice(prefix.length + 'data/'.length), data);
  }
  const pickle = entries.get(pickleName) as Uint8Array;
  return { root: readPickle(file, pickle, 0, budget, torchRules(file, budget)).value, storages };
}

/**
 * torch.save before 1.6: five pickles (magic number, protocol, machine, object, keys), then for each key the number of
 * elements and the elements.
 */
function readStream(file: string, bytes: Uint8Array, budget: MemoryBudget): Checkpoint {
  const declared = new Map<string, Storage>();
  const rules = torchRules(file, budget);
  const persistent = (id: PickleValue): PickleValue => {
    const storage = rules.persistent(id);
    if (storage instanceof Storage) declared.set(storage.key, storage);
    return storage;
  };
  let at = 0;
  const next = (): PickleValue => {
    const { value, end } = readPickle(file, bytes, at, budget, { ...rules, persistent });
    at = end;
    return value;
  };
  if (next() !== LEGACY_MAGIC || next() !== LEGACY_PROTOCOL) {
    throw new UserError(
      `${file}: is a pickle, but not of torch.save; write it with torch.save(model.state_dict(), path)`,
    );
  }
  const machine = next();
  if (!(machine instanceof PickleDict) || machine.items.get('little_endian') !== true) {
    throw new UserError(`${file}: is not of a little-endian machine; save it again on another`);
  }
  const root = next();
  const keys = next();
  if (!(keys instanceof PickleList)) {
    throw new UserError(
      `${file}: has ${kindOf(keys)} for the keys of its storages, expected a list; get the file again`,
    );
  }
  return { root, storages: readStorages(file, bytes, at, keys.items, declared) };
}

function readStorages(
  file: string,
  bytes: Uint8Array,
  begin: number,
  keys: readonly PickleValue[],
  declared: ReadonlyMap<string, Storage>,
): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const storages = new Map<string, Uint8Array>();
  let at = begin;
  for (const key of keys) {
    const storage = declared.get(String(key));
    if (storage === undefined)
      throw new UserError(
        `${file}: no tensor has storage ${typeof key === 'string' ? key : kindOf(key)}; get the file again`,
      );
    const count = at + 8 <= bytes.length ? Number(view.getBigInt64(at, true)) : Number.NaN;
    const length = count * elementBytes(storage.dtype);
    if (count !== storage.count || at + 8 + length > bytes.length) {
      throw new UserError(
        `${file}: storage ${storage.key} at byte ${at} has ${count} elements, expected ${storage.count} ${storage.dtype} before the file's end at ${bytes.length}; get the file again`,
      );
    }
    storages.set(storage.key, bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return storages;
}

const hasTensors = (dict: PickleDict) => [...dict.items.values()].some((value) => value instanceof StridedTensor);

/** The dict of tensors: the root itself, or what a training script has put under one of the usual names. */
function findStateDict(file: string, root: PickleValue): PickleDict {
  let value = root;
  for (let depth = 0; depth <= WRAPPERS.length && value instanceof PickleDict; depth++) {
    const { items }: PickleDict = value;
    const wrapper = WRAPPERS.find((name) => items.get(name) instanceof PickleDict);
    if (wrapper === undefined) break;
    value = items.get(wrapper) as PickleDict;
  }
  if (value instanceof PickleDict && hasTensors(value)) return value;
  const got =
    value instanceof PickleDict
      ? `a dict of ${[...value.items.keys()].slice(0, 10).map(String).join(', ')}`
      : kindOf(value);
  throw new UserError(
    `${file}: holds ${got}, expected a dict of tensors or one under ${WRAPPERS.join(', ')}; save model.state_dict()`,
  );
}

/**
 * Reads the tensors of a checkpoint of torch.save, of both of its formats. Values beside the tensors are passed over.
 * The pickle is read as data; whatever is not needed for tensors is an error that names it. Allocates at most 4 times
 * the file's size and 1 MiB. `file` is for messages.
 */
export function readPth(file: string, bytes: Uint8Array): StateDict {
  const budget = new MemoryBudget(file, bytes.length);
  const { root, storages } = isZip(bytes) ? readArchive(file, bytes, budget) : readStream(file, bytes, budget);
  const reader = new TensorReader(file, budget, storages);
  const tensors: StateDict = new Map();
  for (const [name, value] of findStateDict(file, root).items) {
    if (value instanceof StridedTensor) tensors.set(String(name), reader.read(String(name), value));
  }
  return tensors;
}
