import { UserError } from '../base/errors.ts';
import { MemoryBudget } from './memory-budget.ts';
import type { HeaderEntry } from './safetensors-header.ts';
import { readHeader } from './safetensors-header.ts';
import type { StateDict, TensorData } from './tensor-data.ts';
import { DTYPES, elementBytes, elementCount, elementsOf, isDtype } from './tensor-data.ts';

/** The header's length comes first: 8 bytes, little-endian. */
const PREFIX = 8;

export interface SafetensorsFile {
  readonly tensors: StateDict;
  /** The header's `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Whether the bytes begin as a safetensors file does: a header's length that fits, then a brace. */
export function isSafetensors(bytes: Uint8Array): boolean {
  return bytes.length > PREFIX && bytes[PREFIX] === 0x7b && headerLength(bytes) <= bytes.length - PREFIX;
}

function headerLength(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset, PREFIX).getBigUint64(0, true));
}

function headerText(file: string, bytes: Uint8Array): string {
  if (bytes.length < PREFIX)
    throw new UserError(`${file}: ${bytes.length} bytes are too few for a safetensors file; get the file again`);
  const length = headerLength(bytes);
  if (length > bytes.length - PREFIX) {
    throw new UserError(
      `${file}: the safetensors header claims ${length} bytes, but the file has ${bytes.length}; get the file again`,
    );
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(PREFIX, PREFIX + length));
  } catch {
    throw new UserError(`${file}: the safetensors header is not UTF-8; get the file again`);
  }
}

function readTensor(file: string, entry: HeaderEntry, data: Uint8Array, budget: MemoryBudget): TensorData {
  const { name, dtype, shape } = entry;
  const [begin, end] = entry.offsets;
  const who = `${file}: tensor ${JSON.stringify(name)}`;
  if (!isDtype(dtype))
    throw new UserError(`${who} has dtype ${dtype}, expected one of ${DTYPES.join(', ')}; convert it with PyTorch`);
  if (begin > end || end > data.length) {
    throw new UserError(
      `${who} lies at bytes ${begin} to ${end}, but the file's data has ${data.length} bytes; get the file again`,
    );
  }
  const expected = elementCount(shape) * elementBytes(dtype);
  if (end - begin !== expected) {
    throw new UserError(
      `${who} has ${end - begin} bytes, but ${dtype} [${shape}] needs ${expected}; get the file again`,
    );
  }
  if ((data.byteOffset + begin) % elementBytes(dtype) !== 0) budget.take(expected, who);
  return { dtype, shape, data: elementsOf(dtype, data.subarray(begin, end), elementCount(shape)) };
}

/** The format wants every byte of the data to belong to exactly one tensor. */
function checkCover(file: string, entries: readonly HeaderEntry[], dataBytes: number): void {
  const inOrder = [...entries].sort((a, b) => a.offsets[0] - b.offsets[0] || a.offsets[1] - b.offsets[1]);
  let covered = 0;
  for (const { name, offsets } of inOrder) {
    if (offsets[0] !== covered) {
      const what = offsets[0] < covered ? 'overlaps the tensor before it' : 'leaves a hole before it';
      throw new UserError(
        `${file}: tensor ${JSON.stringify(name)} ${what}: it begins at byte ${offsets[0]}, expected ${covered}; get the file again`,
      );
    }
    covered = offsets[1];
  }
  if (covered !== dataBytes) {
    throw new UserError(
      `${file}: the tensors take ${covered} bytes, but the file's data has ${dataBytes}; get the file again`,
    );
  }
}

/**
 * Reads a safetensors file (https://github.com/huggingface/safetensors, "Format"). Tensors share the memory of `bytes`
 * where their addresses are aligned. Allocates at most 4 times the file's size and 1 MiB. `file` is for messages. Throws UserError for whatever the format does not allow.
 */
export function readSafetensors(file: string, bytes: Uint8Array): SafetensorsFile {
  const budget = new MemoryBudget(file, bytes.length);
  const { entries, metadata } = readHeader(file, headerText(file, bytes), budget);
  const data = bytes.subarray(PREFIX + headerLength(bytes));
  const tensors: StateDict = new Map(entries.map((entry) => [entry.name, readTensor(file, entry, data, budget)]));
  checkCover(file, entries, data.length);
  return { tensors, metadata };
}

function headerBytes(
  tensors: readonly (readonly [string, TensorData])[],
  metadata: Record<string, string>,
): Uint8Array {
  const parts = Object.keys(metadata).length > 0 ? [`"__metadata__":${JSON.stringify(metadata)}`] : [];
  let offset = 0;
  for (const [name, { dtype, shape, data }] of tensors) {
    const end = offset + data.byteLength;
    parts.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, end] })}`);
    offset = end;
  }
  return new TextEncoder().encode(`{${parts.join(',')}}`);
}

/**
 * Writes a safetensors file. Tensors come in the order given, those with larger elements first, so that every tensor is
 * aligned; the header is padded with spaces to a multiple of 8 bytes. The same input gives the same bytes.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Record<string, string> = {},
): Uint8Array<ArrayBuffer> {
  const ordered = [...tensors].sort(([, a], [, b]) => elementBytes(b.dtype) - elementBytes(a.dtype));
  for (const [name, { dtype, shape, data }] of ordered) {
    if (name !== '__metadata__' && data.length === elementCount(shape)) continue;
    throw new UserError(
      `safetensors: tensor ${name} ${dtype} [${shape}] has ${data.length} elements, cannot be written`,
    );
  }
  const header = headerBytes(ordered, metadata);
  const start = PREFIX + Math.ceil(header.length / 8) * 8;
  const total = ordered.reduce((sum, [, { data }]) => sum + data.byteLength, start);
  const bytes = new Uint8Array(total);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - PREFIX), true);
  bytes.fill(0x20, PREFIX, start);
  bytes.set(header, PREFIX);
  let offset = start;
  for (const [, { data }] of ordered) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return bytes;
}
