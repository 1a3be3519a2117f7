import { UserError } from '../base/errors.ts';
import type { MemoryBudget } from './memory-budget.ts';

/** One tensor's entry in the header, as written there: nothing is checked yet but the types. */
export interface HeaderEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** First byte and the byte after the last, from the end of the header. */
  readonly offsets: readonly [number, number];
}

export interface Header {
  readonly entries: readonly HeaderEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** More dimensions than this are taken for damage. */
const MAX_RANK = 32;
/** Taken from the memory budget for a tensor's entry, beside its text. */
const ENTRY_BYTES = 256;

/**
 * Reads a header of exactly the form that safetensors defines. JSON.parse would take the last of two tensors with one
 * name, and build whatever a damaged header describes before anything can be checked.
 */
class HeaderReader {
  readonly #file: string;
  readonly #text: string;
  #at = 0;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
  }

  fail(expected: string): never {
    const got = this.#at < this.#text.length ? JSON.stringify(this.#text.slice(this.#at, this.#at + 12)) : 'its end';
    throw new UserError(
      `${this.#file}: character ${this.#at} of the safetensors header is ${got}, expected ${expected}; get the file again`,
    );
  }

  #skipSpace(): void {
    while (' \t\r\n'.includes(this.#text[this.#at] ?? 'x')) this.#at++;
  }

  takes(symbol: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== symbol) return false;
    this.#at++;
    return true;
  }

  expect(symbol: string): void {
    if (!this.takes(symbol)) this.fail(`"${symbol}"`);
  }

  string(): string {
    this.expect('"');
    const start = this.#at;
    for (; this.#text[this.#at] !== '"'; this.#at++) {
      if (this.#text[this.#at] === '\\') this.#at++;
      if (this.#at >= this.#text.length) this.fail('the end of a string');
    }
    const literal = this.#text.slice(start - 1, ++this.#at);
    try {
      return JSON.parse(literal) as string;
    } catch {
      this.#at = start;
      return this.fail('a string');
    }
  }

  /** A non-negative integer that a double holds exactly. */
  integer(): number {
    this.#skipSpace();
    const start = this.#at;
    while (/^[0-9]$/.test(this.#text[this.#at] ?? '')) this.#at++;
    const digits = this.#text.slice(start, this.#at);
    const value = Number(digits);
    if (String(value) === digits && Number.isSafeInteger(value)) return value;
    this.#at = start;
    return this.fail('a non-negative integer');
  }

  integers(limit: number): number[] {
    const values: number[] = [];
    this.expect('[');
    if (this.takes(']')) return values;
    do {
      if (values.length === limit) this.fail(`at most ${limit} numbers`);
      values.push(this.integer());
    } while (this.takes(','));
    this.expect(']');
    return values;
  }

  /** Calls `field` for each key of an object; the value is next then. A key that comes twice is an error. */
  object(field: (key: string) => void): void {
    const seen = new Set<string>();
    this.expect('{');
    if (this.takes('}')) return;
    do {
      const key = this.string();
      if (seen.has(key))
        throw new UserError(
          `${this.#file}: the safetensors header names ${JSON.stringify(key)} twice, expected once; get the file again`,
        );
      seen.add(key);
      this.expect(':');
      field(key);
    } while (this.takes(','));
    this.expect('}');
  }

  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) this.fail('nothing more');
  }
}

function readEntry(reader: HeaderReader, name: string): HeaderEntry {
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  reader.object((key) => {
    if (key === 'dtype') dtype = reader.string();
    else if (key === 'shape') shape = reader.integers(MAX_RANK);
    else if (key === 'data_offsets') offsets = reader.integers(2);
    else reader.fail(`"dtype", "shape" or "data_offsets" before it`);
  });
  const [begin, end] = offsets ?? [];
  if (dtype === undefined || shape === undefined || begin === undefined || end === undefined) {
    return reader.fail(`"dtype", "shape" and two "data_offsets" of tensor ${JSON.stringify(name)} before it`);
  }
  return { name, dtype, shape, offsets: [begin, end] };
}

/** Reads the header's JSON. Throws UserError where it is not of the form the format defines. */
export function readHeader(file: string, text: string, budget: MemoryBudget): Header {
  const reader = new HeaderReader(file, text);
  const entries: HeaderEntry[] = [];
  const metadata: [string, string][] = [];
  budget.take(2 * text.length, 'the header');
  reader.object((name) => {
    budget.take(ENTRY_BYTES, 'the header');
    if (name === '__metadata__') reader.object((key) => metadata.push([key, reader.string()]));
    else entries.push(readEntry(reader, name));
  });
  reader.end();
  return { entries, metadata: Object.fromEntries(metadata) };
}
