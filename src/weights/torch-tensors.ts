import { UserError } from '../base/errors.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { PickleRules } from './pickle.ts';
import type { PickleValue } from './pickle-values.ts';
import {
  DICT_ENTRY_BYTES,
  kindOf,
  PickleClass,
  PickleDict,
  PickleList,
  PickleObject,
  PickleTuple,
  SLOT_BYTES,
} from './pickle-values.ts';
import type { Dtype, TensorArray, TensorData } from './tensor-data.ts';
import { elementBytes, elementCount, elementsOf, zeros } from './tensor-data.ts';

const STORAGE_DTYPES: Readonly<Record<string, Dtype>> = {
  'torch.DoubleStorage': 'F64',
  'torch.FloatStorage': 'F32',
  'torch.HalfStorage': 'F16',
  'torch.BFloat16Storage': 'BF16',
  'torch.LongStorage': 'I64',
  'torch.IntStorage': 'I32',
  'torch.ShortStorage': 'I16',
  'torch.CharStorage': 'I8',
  'torch.ByteStorage': 'U8',
  'torch.BoolStorage': 'BOOL',
};

/** More dimensions than this are taken for damage. */
const MAX_RANK = 32;

/** Elements that tensors share, named by a key of the file. */
export class Storage extends PickleObject {
  readonly kind = 'a storage';
  readonly key: string;
  readonly dtype: Dtype;
  /** Elements of the whole storage in the file. */
  readonly count: number;
  /** Where this begins in it, in elements: not 0 in files of before 2017 only. */
  readonly offset: number;

  constructor(key: string, dtype: Dtype, count: number, offset: number) {
    super();
    this.key = key;
    this.dtype = dtype;
    this.count = count;
    this.offset = offset;
  }
}

/** A tensor as the pickle describes it, unchecked: sizes and strides, in elements, of a storage. */
export class StridedTensor extends PickleObject {
  readonly kind = 'a tensor';
  readonly storage: Storage;
  readonly offset: number;
  readonly size: readonly number[];
  readonly stride: readonly number[];

  constructor(storage: Storage, offset: number, size: readonly number[], stride: readonly number[]) {
    super();
    this.storage = storage;
    this.offset = offset;
    this.size = size;
    this.stride = stride;
  }
}

/** What the pickles of torch.save hold: dicts, tensors and parameters (torch/_utils.py, torch/serialization.py). */
export function torchRules(file: string, budget: MemoryBudget): PickleRules {
  const fail = (what: string): never => {
    throw new UserError(`${file}: ${what}; the checkpoint is damaged or of an unknown PyTorch, save it again`);
  };
  const count = (value: PickleValue | undefined, what: string): number =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
      ? value
      : fail(`${what} is ${typeof value === 'number' ? value : kindOf(value)}, expected a count`);
  const counts = (value: PickleValue | undefined, what: string): number[] =>
    value instanceof PickleTuple && value.items.length <= MAX_RANK
      ? value.items.map((item) => count(item, what))
      : fail(`${what} is ${kindOf(value)}, expected a tuple of at most ${MAX_RANK} counts`);

  const rebuildTensor = ([storage, offset, size, stride]: readonly PickleValue[]): PickleValue => {
    if (!(storage instanceof Storage)) return fail(`a tensor is made of ${kindOf(storage)}, expected a storage`);
    const sizes = counts(size, "a tensor's size");
    const strides = counts(stride, "a tensor's stride");
    budget.take(2 * SLOT_BYTES * sizes.length, 'the pickle');
    if (sizes.length !== strides.length) fail(`a tensor has ${sizes.length} sizes and ${strides.length} strides`);
    return new StridedTensor(storage, count(offset, "a tensor's offset"), sizes, strides);
  };
  const rebuildParameter = ([tensor]: readonly PickleValue[]): PickleValue =>
    tensor instanceof StridedTensor ? tensor : fail(`a parameter is made of ${kindOf(tensor)}, expected a tensor`);
  /** Python 2 gives an OrderedDict its items as a list of pairs. */
  const orderedDict = ([pairs]: readonly PickleValue[]): PickleValue => {
    const dict = new PickleDict();
    const list = pairs instanceof PickleList ? pairs.items : [];
    budget.take(DICT_ENTRY_BYTES * list.length, 'the pickle');
    for (const pair of list) {
      const items = pair instanceof PickleList || pair instanceof PickleTuple ? pair.items : [];
      if (items.length !== 2) fail(`an OrderedDict is made of ${kindOf(pair)}, expected pairs`);
      dict.items.set(items[0] as PickleValue, items[1] as PickleValue);
    }
    return dict;
  };
  const persistent = (id: PickleValue): PickleValue => {
    const [type, storageClass, key, , size, view] = id instanceof PickleTuple ? id.items : [];
    if (type === 'module') fail('it holds a whole model, expected a state_dict');
    const dtype = storageClass instanceof PickleClass ? STORAGE_DTYPES[storageClass.name] : undefined;
    if (type !== 'storage' || dtype === undefined || (typeof key !== 'string' && typeof key !== 'number')) {
      return fail(`a persistent id is ${kindOf(id)}, expected a storage`);
    }
    const offset = view instanceof PickleTuple ? count(view.items[1], "a storage view's offset") : 0;
    return new Storage(String(key), dtype, count(size, "a storage's size"), offset);
  };
  return {
    calls: {
      'collections.OrderedDict': orderedDict,
      'torch._utils._rebuild_tensor': rebuildTensor,
      'torch._utils._rebuild_tensor_v2': rebuildTensor,
      'torch._utils._rebuild_parameter': rebuildParameter,
      'torch._utils._rebuild_parameter_with_state': rebuildParameter,
    },
    names: new Set(Object.keys(STORAGE_DTYPES)),
    persistent,
  };
}

function isContiguous({ size, stride }: StridedTensor): boolean {
  let expected = 1;
  for (let axis = size.length - 1; axis >= 0; axis--) {
    if (size[axis] !== 1 && stride[axis] !== expected) return false;
    expected *= size[axis] as number;
  }
  return true;
}

/** Copies a strided tensor's elements in row-major order. */
function gather(source: TensorArray, tensor: StridedTensor, begin: number, count: number): TensorArray {
  const { size, stride, storage } = tensor;
  const out = zeros(storage.dtype, count);
  // Both are of one class, which TypeScript cannot tell of a union.
  const [from, to] = [source as Float32Array, out as Float32Array];
  const position = size.map(() => 0);
  let at = begin;
  for (let index = 0; index < count; index++) {
    to[index] = from[at] as number;
    for (let axis = size.length - 1; axis >= 0; axis--) {
      position[axis] = (position[axis] as number) + 1;
      at += stride[axis] as number;
      if ((position[axis] as number) < (size[axis] as number)) break;
      at -= (position[axis] as number) * (stride[axis] as number);
      position[axis] = 0;
    }
  }
  return out;
}

/** Turns descriptions into tensors: views of the file's bytes where order and alignment allow, else copies. */
export class TensorReader {
  readonly #file: string;
  readonly #budget: MemoryBudget;
  readonly #storages: ReadonlyMap<string, Uint8Array>;
  readonly #elements = new Map<string, TensorArray>();

  /** `storages`: the bytes of each storage by its key. */
  constructor(file: string, budget: MemoryBudget, storages: ReadonlyMap<string, Uint8Array>) {
    this.#file = file;
    this.#budget = budget;
    this.#storages = storages;
  }

  #elementsOf(name: string, storage: Storage): TensorArray {
    const { key, dtype, count } = storage;
    const known = this.#elements.get(`${dtype} ${key}`);
    if (known?.length === count) return known;
    const bytes = this.#storages.get(key);
    if (bytes?.length !== count * elementBytes(dtype)) {
      const got = bytes === undefined ? 'is not there' : `has ${bytes.length} bytes`;
      throw new UserError(
        `${this.#file}: storage ${key} of ${name} ${got}, expected ${count} ${dtype} elements; get the file again`,
      );
    }
    if (bytes.byteOffset % elementBytes(dtype) !== 0) this.#budget.take(bytes.length, name);
    const elements = elementsOf(dtype, bytes, count);
    this.#elements.set(`${dtype} ${key}`, elements);
    return elements;
  }

  /** The tensor called `name`. Throws UserError where it reaches out of its storage. */
  read(name: string, tensor: StridedTensor): TensorData {
    const { storage, size: shape, stride } = tensor;
    const elements = this.#elementsOf(name, storage);
    const count = elementCount(shape);
    const begin = storage.offset + tensor.offset;
    const reach = shape.reduce((last, size, axis) => last + (size - 1) * (stride[axis] as number), begin);
    const inside = shape.includes(0) || (begin < storage.count && reach < storage.count);
    if (!inside) {
      throw new UserError(
        `${this.#file}: ${name} [${shape}] reaches element ${reach} of storage ${storage.key}, which has ${storage.count}; get the file again`,
      );
    }
    if (shape.includes(0)) return { dtype: storage.dtype, shape, data: zeros(storage.dtype, 0) };
    if (isContiguous(tensor)) return { dtype: storage.dtype, shape, data: elements.subarray(begin, begin + count) };
    this.#budget.take(count * elementBytes(storage.dtype), `${name} [${shape}]`);
    return { dtype: storage.dtype, shape, data: gather(elements, tensor, begin, count) };
  }
}
