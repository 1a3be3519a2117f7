import { UserError } from '../base/errors.ts';
import type { MemoryBudget } from './memory-budget.ts';

const END_RECORD = 0x06054b50;
const END_RECORD_BYTES = 22;
const ZIP64_LOCATOR = 0x07064b50;
const ZIP64_LOCATOR_BYTES = 20;
const ZIP64_END_RECORD = 0x06064b50;
const ZIP64_END_RECORD_BYTES = 56;
const CENTRAL_ENTRY = 0x02014b50;
const CENTRAL_ENTRY_BYTES = 46;
const LOCAL_ENTRY = 0x04034b50;
const LOCAL_ENTRY_BYTES = 30;
const ZIP64_FIELD = 1;
const MAX_COMMENT = 0xffff;
/** A 32-bit field that holds this has its value in the entry's zip64 field. */
const IN_ZIP64 = 0xffffffff;
/** Taken from the memory budget for an entry: a view, its name, its place in the map. */
const OBJECT_BYTES = 256;

/** Little-endian numbers of a damaged file, too: reading outside it is an error of the file. */
class ZipBytes {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(file: string, bytes: Uint8Array) {
    this.file = file;
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(what: string): never {
    throw new UserError(`${this.file}: ${what}; the zip archive is damaged, get the file again`);
  }

  /** Checks that `length` bytes at `at` lie in the file. */
  range(at: number, length: number, what: string): void {
    if (at >= 0 && at + length <= this.bytes.length) return;
    this.fail(`${what} lies at bytes ${at} to ${at + length}, but the file has ${this.bytes.length}`);
  }

  u16(at: number): number {
    return this.#view.getUint16(at, true);
  }

  u32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  u64(at: number): number {
    return Number(this.#view.getBigUint64(at, true));
  }

  text(at: number, length: number): string {
    return new TextDecoder().decode(this.bytes.subarray(at, at + length));
  }
}

/** Whether the bytes begin as a zip archive does. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === LOCAL_ENTRY;
}

/** Where the central directory begins and how many entries it has. */
function findDirectory(zip: ZipBytes): { at: number; count: number } {
  const last = zip.bytes.length - END_RECORD_BYTES;
  let end = last;
  while (end >= 0 && end >= last - MAX_COMMENT && zip.u32(end) !== END_RECORD) end--;
  if (end < 0 || end < last - MAX_COMMENT) zip.fail('the end record is missing');
  const locator = end - ZIP64_LOCATOR_BYTES;
  if (locator < 0 || zip.u32(locator) !== ZIP64_LOCATOR) return { at: zip.u32(end + 16), count: zip.u16(end + 10) };
  const wide = zip.u64(locator + 8);
  zip.range(wide, ZIP64_END_RECORD_BYTES, 'the zip64 end record');
  if (zip.u32(wide) !== ZIP64_END_RECORD) zip.fail('the zip64 end record is missing');
  return { at: zip.u64(wide + 48), count: zip.u64(wide + 32) };
}

/** The size and the address of the local header of the entry at `at`, from its zip64 field where they are there. */
function sizeAndAddress(zip: ZipBytes, at: number, extra: number, extraEnd: number): { size: number; local: number } {
  let size = zip.u32(at + 24);
  let local = zip.u32(at + 42);
  for (let field = extra; field + 4 <= extraEnd; field += 4 + zip.u16(field + 2)) {
    if (zip.u16(field) !== ZIP64_FIELD) continue;
    const fieldEnd = Math.min(extraEnd, field + 4 + zip.u16(field + 2));
    let value = field + 4;
    const next = () => {
      if (value + 8 > fieldEnd) zip.fail('a zip64 field is too short');
      value += 8;
      return zip.u64(value - 8);
    };
    if (size === IN_ZIP64) size = next();
    if (zip.u32(at + 20) === IN_ZIP64) next();
    if (local === IN_ZIP64) local = next();
  }
  return { size, local };
}

/** The bytes of an entry, which follow its local header. */
function entryData(zip: ZipBytes, name: string, size: number, local: number): Uint8Array {
  zip.range(local, LOCAL_ENTRY_BYTES, `the header of ${name}`);
  if (zip.u32(local) !== LOCAL_ENTRY) zip.fail(`the header of ${name} is missing`);
  const begin = local + LOCAL_ENTRY_BYTES + zip.u16(local + 26) + zip.u16(local + 28);
  zip.range(begin, size, name);
  return zip.bytes.subarray(begin, begin + size);
}

/**
 * The files of a zip archive as PyTorch writes them: stored, not compressed, zip64 where they are large (APPNOTE.TXT of
 * PKWARE, 6.3.9). They are views of `bytes`. Checksums are not compared, because PyTorch can leave them out.
 */
export function readZip(file: string, bytes: Uint8Array, budget: MemoryBudget): Map<string, Uint8Array> {
  const zip = new ZipBytes(file, bytes);
  const entries = new Map<string, Uint8Array>();
  let { at, count } = findDirectory(zip);
  for (; count > 0; count--) {
    zip.range(at, CENTRAL_ENTRY_BYTES, 'a directory entry');
    if (zip.u32(at) !== CENTRAL_ENTRY) zip.fail(`the directory entry at byte ${at} is missing`);
    const extra = at + CENTRAL_ENTRY_BYTES + zip.u16(at + 28);
    const extraEnd = extra + zip.u16(at + 30);
    const next = extraEnd + zip.u16(at + 32);
    zip.range(at, next - at, 'a directory entry');
    budget.take(OBJECT_BYTES + 2 * zip.u16(at + 28), 'the directory');
    const name = zip.text(at + CENTRAL_ENTRY_BYTES, zip.u16(at + 28));
    const { size, local } = sizeAndAddress(zip, at, extra, extraEnd);
    if (zip.u16(at + 10) !== 0 || (zip.u16(at + 8) & 1) === 1) {
      throw new UserError(
        `${file}: ${name} is compressed or encrypted, but torch.save stores it; unpack and zip -0 it`,
      );
    }
    if (entries.has(name)) zip.fail(`${name} is there twice`);
    entries.set(name, entryData(zip, name, size, local));
    at = next;
  }
  return entries;
}
