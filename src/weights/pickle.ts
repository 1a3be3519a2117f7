import { UserError } from '../base/errors.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { PickleValue } from './pickle-values.ts';
import {
  DICT_BYTES,
  DICT_ENTRY_BYTES,
  kindOf,
  OBJECT_BYTES,
  PickleClass,
  PickleDict,
  PickleList,
  PickleTuple,
  SLOT_BYTES,
} from './pickle-values.ts';

/** What a pickle may name and how it is understood. Nothing outside of it is ever interpreted. */
export interface PickleRules {
  /** Functions and classes that may be called, by full name. */
  readonly calls: Readonly<Record<string, (args: readonly PickleValue[]) => PickleValue>>;
  /** Classes that may be named, but not called. */
  readonly names: ReadonlySet<string>;
  /** The object that a persistent id stands for. */
  readonly persistent: (id: PickleValue) => PickleValue;
}

/** Reads one pickle: Python's stack machine (Lib/pickletools.py), of which only data is understood. */
class Unpickler {
  readonly #file: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #budget: MemoryBudget;
  readonly #rules: PickleRules;
  readonly #memo = new Map<number, PickleValue>();
  readonly #marks: number[] = [];
  readonly #stack: PickleValue[] = [];
  #opcodeAt = 0;
  at: number;
  stopped = false;

  constructor(file: string, bytes: Uint8Array, at: number, budget: MemoryBudget, rules: PickleRules) {
    this.#file = file;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#budget = budget;
    this.#rules = rules;
    this.at = at;
  }

  fail(what: string): never {
    throw new UserError(
      `${this.#file}: the pickle ${what} at byte ${this.#opcodeAt}, expected a state_dict; save it again with torch.save(model.state_dict(), path)`,
    );
  }

  step(): void {
    this.#opcodeAt = this.at;
    const opcode = this.u8();
    const run = OPCODES[opcode];
    if (run === undefined) this.fail(`has opcode 0x${opcode.toString(16).padStart(2, '0')}, which no tensor needs,`);
    run(this);
  }

  /** The position of the next `length` bytes, which are passed over. */
  #skip(length: number): number {
    if (length > this.#bytes.length - this.at) this.fail('is cut off');
    this.at += length;
    return this.at - length;
  }

  u8 = () => this.#view.getUint8(this.#skip(1));
  u16 = () => this.#view.getUint16(this.#skip(2), true);
  u32 = () => this.#view.getUint32(this.#skip(4), true);
  i32 = () => this.#view.getInt32(this.#skip(4), true);
  u64 = () => Number(this.#view.getBigUint64(this.#skip(8), true));
  /** The one big-endian number of the format. */
  f64 = () => this.#view.getFloat64(this.#skip(8));

  text(length: number): string {
    const start = this.#skip(length);
    this.#budget.take(OBJECT_BYTES + 2 * length, 'the pickle');
    return new TextDecoder().decode(this.#bytes.subarray(start, start + length));
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.at);
    if (end < 0) this.fail('is cut off');
    const text = this.text(end - this.at);
    this.at = end + 1;
    return text;
  }

  /** A two's complement integer: a number where it is exact as one. */
  long(length: number): number | bigint {
    const start = this.#skip(length);
    let value = 0n;
    for (let index = length - 1; index >= 0; index--)
      value = (value << 8n) | BigInt(this.#bytes[start + index] as number);
    const signed = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  push(value: PickleValue, bytes = 0): void {
    this.#budget.take(SLOT_BYTES + bytes, 'the pickle');
    this.#stack.push(value);
  }

  #floor(): number {
    return this.#marks.at(-1) ?? 0;
  }

  pop(): PickleValue {
    const value = this.top();
    this.#stack.pop();
    return value;
  }

  top(): PickleValue {
    if (this.#stack.length <= this.#floor()) this.fail('takes a value that is not there');
    return this.#stack.at(-1) as PickleValue;
  }

  mark(): void {
    this.#budget.take(SLOT_BYTES, 'the pickle');
    this.#marks.push(this.#stack.length);
  }

  /** Takes off what was pushed since the last mark. */
  popMark(): PickleValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) this.fail('takes a mark that is not there');
    return this.#stack.splice(mark);
  }

  /** Makes a tuple of the last `count` values. */
  tuple(count: number): void {
    const items = Array.from({ length: count }, () => this.pop()).reverse();
    this.push(new PickleTuple(items), OBJECT_BYTES + SLOT_BYTES * count);
  }

  memoize(index: number): void {
    this.#budget.take(DICT_ENTRY_BYTES, 'the pickle');
    this.#memo.set(index, this.top());
  }

  memoizeNext(): void {
    this.memoize(this.#memo.size);
  }

  recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) this.fail(`takes memo ${index}, which is not there,`);
    this.push(value);
  }

  append(items: readonly PickleValue[]): void {
    const list = this.top();
    if (!(list instanceof PickleList)) this.fail(`appends to ${kindOf(list)}`);
    this.#budget.take(SLOT_BYTES * items.length, 'the pickle');
    for (const item of items) list.items.push(item);
  }

  setItems(items: readonly PickleValue[]): void {
    const dict = this.top();
    if (!(dict instanceof PickleDict) || items.length % 2 !== 0)
      this.fail(`sets ${items.length} items of ${kindOf(dict)}`);
    this.#budget.take(DICT_ENTRY_BYTES * (items.length / 2), 'the pickle');
    for (let index = 0; index < items.length; index += 2) {
      dict.items.set(items[index] as PickleValue, items[index + 1] as PickleValue);
    }
  }

  /** Drops the attributes that are set on an OrderedDict: `_metadata` of a state_dict. */
  build(): void {
    this.pop();
    const target = this.top();
    if (!(target instanceof PickleDict)) this.fail(`sets the state of ${kindOf(target)}`);
  }

  named(module: PickleValue, name: PickleValue): void {
    const full = `${module}.${name}`;
    if (!Object.hasOwn(this.#rules.calls, full) && !this.#rules.names.has(full)) {
      this.fail(`names ${full}, which no tensor needs,`);
    }
    this.push(new PickleClass(full), OBJECT_BYTES);
  }

  call(): void {
    const args = this.pop();
    const callee = this.pop();
    const call = callee instanceof PickleClass ? this.#rules.calls[callee.name] : undefined;
    if (call === undefined || !(args instanceof PickleTuple)) this.fail(`calls ${kindOf(callee)} with ${kindOf(args)}`);
    this.push(call(args.items), DICT_BYTES);
  }

  persistent(): void {
    this.push(this.#rules.persistent(this.pop()), DICT_BYTES);
  }

  stop(): void {
    this.stopped = true;
  }
}

/** The opcodes that a pickled state_dict has, protocols 2 to 5. */
const OPCODES: Readonly<Record<number, (pickle: Unpickler) => void>> = {
  128: (p) => p.u8(), // PROTO
  149: (p) => p.u64(), // FRAME
  46: (p) => p.stop(), // STOP
  40: (p) => p.mark(), // MARK
  78: (p) => p.push(null), // NONE
  136: (p) => p.push(true), // NEWTRUE
  137: (p) => p.push(false), // NEWFALSE
  74: (p) => p.push(p.i32()), // BININT
  75: (p) => p.push(p.u8()), // BININT1
  77: (p) => p.push(p.u16()), // BININT2
  138: (p) => p.push(p.long(p.u8()), OBJECT_BYTES), // LONG1
  71: (p) => p.push(p.f64(), SLOT_BYTES), // BINFLOAT
  88: (p) => p.push(p.text(p.u32())), // BINUNICODE
  140: (p) => p.push(p.text(p.u8())), // SHORT_BINUNICODE
  84: (p) => p.push(p.text(p.u32())), // BINSTRING, a str of Python 2
  85: (p) => p.push(p.text(p.u8())), // SHORT_BINSTRING
  93: (p) => p.push(new PickleList(), OBJECT_BYTES), // EMPTY_LIST
  97: (p) => p.append([p.pop()]), // APPEND
  101: (p) => p.append(p.popMark()), // APPENDS
  41: (p) => p.tuple(0), // EMPTY_TUPLE
  133: (p) => p.tuple(1), // TUPLE1
  134: (p) => p.tuple(2), // TUPLE2
  135: (p) => p.tuple(3), // TUPLE3
  116: (p) => p.push(new PickleTuple(p.popMark()), OBJECT_BYTES), // TUPLE
  125: (p) => p.push(new PickleDict(), DICT_BYTES), // EMPTY_DICT
  115: (p) => p.setItems([p.pop(), p.pop()].reverse()), // SETITEM
  117: (p) => p.setItems(p.popMark()), // SETITEMS
  113: (p) => p.memoize(p.u8()), // BINPUT
  114: (p) => p.memoize(p.u32()), // LONG_BINPUT
  148: (p) => p.memoizeNext(), // MEMOIZE
  104: (p) => p.recall(p.u8()), // BINGET
  106: (p) => p.recall(p.u32()), // LONG_BINGET
  99: (p) => p.named(p.line(), p.line()), // GLOBAL
  147: (p) => p.named(...([p.pop(), p.pop()].reverse() as [PickleValue, PickleValue])), // STACK_GLOBAL
  82: (p) => p.call(), // REDUCE
  129: (p) => p.call(), // NEWOBJ
  98: (p) => p.build(), // BUILD
  81: (p) => p.persistent(), // BINPERSID
};

/**
 * The value of the pickle that begins at `at`, and the position after it. Throws UserError where the pickle is damaged or
 * holds anything that `rules` does not name: it is read as data, and nothing in it is executed.
 */
export function readPickle(
  file: string,
  bytes: Uint8Array,
  at: number,
  budget: MemoryBudget,
  rules: PickleRules,
): { value: PickleValue; end: number } {
  const unpickler = new Unpickler(file, bytes, at, budget, rules);
  while (!unpickler.stopped) unpickler.step();
  return { value: unpickler.pop(), end: unpickler.at };
}
