/** Bytes taken from the memory budget for objects, on the safe side of what V8 needs. */
export const SLOT_BYTES = 8;
export const OBJECT_BYTES = 64;
export const DICT_BYTES = 256;
export const DICT_ENTRY_BYTES = 64;

/** What a pickle of tensors is made of. Python's None is null; its lists, tuples and dicts are classes of their own. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleList
  | PickleTuple
  | PickleDict
  | PickleClass
  | PickleObject;

export class PickleList {
  readonly items: PickleValue[] = [];
}

export class PickleTuple {
  readonly items: readonly PickleValue[];

  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** A dict or an OrderedDict. Python's `__setstate__` attributes, such as a state_dict's `_metadata`, are dropped. */
export class PickleDict {
  readonly items = new Map<PickleValue, PickleValue>();
}

/** A class or function that the pickle names: `torch._utils._rebuild_tensor_v2`. It is never looked up anywhere. */
export class PickleClass {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** What the reader of this kind of file makes of a persistent id or of a call: a storage, a tensor. */
export abstract class PickleObject {
  /** For messages: `a tensor`. */
  abstract readonly kind: string;
}

/** For messages: the Python type of a value. */
export function kindOf(value: PickleValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'None';
  if (value instanceof PickleList) return 'a list';
  if (value instanceof PickleTuple) return 'a tuple';
  if (value instanceof PickleDict) return 'a dict';
  if (value instanceof PickleClass) return value.name;
  if (value instanceof PickleObject) return value.kind;
  return { boolean: 'a bool', number: 'a number', bigint: 'an int', string: 'a str' }[
    typeof value as 'boolean' | 'number' | 'bigint' | 'string'
  ];
}
