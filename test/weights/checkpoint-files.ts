import { readFileSync } from 'node:fs';

/** The bytes of a file of test/golden. */
export function goldenBytes(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../golden/${name}`, import.meta.url)));
}

export function goldenJson<T>(name: string): T {
  return JSON.parse(new TextDecoder().decode(goldenBytes(name))) as T;
}

/** Bytes from numbers, latin-1 text and other bytes. */
export function joined(...parts: (number | string | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === 'number' ? [part] : typeof part === 'string' ? [...part].map((c) => c.charCodeAt(0)) : [...part],
    ),
  );
}

const little = (value: number, bytes: number) =>
  Uint8Array.from({ length: bytes }, (_, index) => Math.floor(value / 256 ** index) % 256);

/** A stored zip archive, as torch.save writes it; with `zip64`, sizes and addresses stand in zip64 fields. */
export function zipOf(entries: Record<string, Uint8Array>, { zip64 = false, method = 0, flags = 0 } = {}): Uint8Array {
  let body = joined();
  let directory = joined();
  for (const [name, data] of Object.entries(entries)) {
    const local = body.length;
    const size = little(data.length, 4);
    body = joined(body, 'PK\x03\x04', little(0, 14), size, size, little(name.length, 2), little(0, 2), name, data);
    const wide = zip64
      ? joined(little(1, 2), little(24, 2), ...[data.length, data.length, local].map((n) => little(n, 8)))
      : '';
    const sizes = zip64 ? new Uint8Array(8).fill(255) : joined(size, size);
    const fields = joined(little(name.length, 2), little(wide.length, 2), little(0, 10));
    const head = joined('PK\x01\x02', little(0, 4), little(flags, 2), little(method, 2), little(0, 8), sizes, fields);
    directory = joined(directory, head, zip64 ? little(0xffffffff, 4) : little(local, 4), name, wide);
  }
  const count = Object.keys(entries).length;
  const counts = (bytes: number) => joined(little(count, bytes), little(count, bytes));
  const wideEnd = joined(
    'PK\x06\x06',
    little(44, 8),
    little(0, 12),
    counts(8),
    little(directory.length, 8),
    little(body.length, 8),
  );
  const locator = joined('PK\x06\x07', little(0, 4), little(body.length + directory.length, 8), little(1, 4));
  const end = zip64
    ? new Uint8Array(12).fill(255)
    : joined(counts(2), little(directory.length, 4), little(body.length, 4));
  return joined(body, directory, zip64 ? joined(wideEnd, locator) : '', 'PK\x05\x06', little(0, 4), end, little(0, 2));
}

/** Pickle of a str of at most 255 bytes. */
export const str = (text: string) => joined(0x8c, text.length, text);

/** Pickle of a non-negative int. */
export const int = (value: number) => joined('J', little(value, 4));

/** Pickle of a tuple. */
export const tuple = (...items: Uint8Array[]) => joined('(', ...items, 't');

/** Pickle of a call of the function `name` of `module`. */
export const call = (module: string, name: string, ...args: Uint8Array[]) =>
  joined('c', module, '\n', name, '\n', tuple(...args), 'R');

/** Pickle of a storage of `count` elements. */
export const storage = (key: string, count: number, type = 'FloatStorage') =>
  joined(tuple(str('storage'), joined('ctorch\n', type, '\n'), str(key), str('cpu'), int(count)), 'Q');

/** Pickle of a tensor. */
export const tensor = (of: Uint8Array, offset: number, size: number[], stride: number[]) =>
  call('torch._utils', '_rebuild_tensor', of, int(offset), tuple(...size.map(int)), tuple(...stride.map(int)));

/** Pickle of a dict. */
export const dict = (entries: Record<string, Uint8Array>) =>
  joined('}(', ...Object.entries(entries).flatMap(([key, value]) => [str(key), value]), 'u');

/** A checkpoint of the zip format: a pickled object and storages. */
export function checkpoint(object: Uint8Array, storages: Record<string, Uint8Array> = {}, options = {}): Uint8Array {
  const data = Object.entries(storages).map(([key, bytes]) => [`a/data/${key}`, bytes] as const);
  return zipOf({ 'a/data.pkl': joined(0x80, 2, object, '.'), ...Object.fromEntries(data) }, options);
}

/** The bytes of f32 values. */
export const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
