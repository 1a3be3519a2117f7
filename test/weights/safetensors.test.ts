import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { isSafetensors, readSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts';
import type { StateDict } from '../../src/weights/tensor-data.ts';
import { DTYPES, elementBytes, zeros } from '../../src/weights/tensor-data.ts';

const bytes = new Uint8Array(readFileSync(new URL('../golden/tiny.safetensors', import.meta.url)));
const tiny = JSON.parse(readFileSync(new URL('../golden/tiny.json', import.meta.url), 'utf8')) as {
  values: Record<string, number[]>;
  shapes: Record<string, number[]>;
};

/** A file of this header and so many bytes of data. */
function file(header: unknown, dataBytes: number): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + text.length + dataBytes);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  return out;
}

const entry = (dtype: string, shape: unknown, ...data_offsets: unknown[]) => ({ dtype, shape, data_offsets });

describe('readSafetensors', () => {
  it('reads the file of the Python library', () => {
    const { tensors, metadata } = readSafetensors('tiny.safetensors', bytes);
    expect(metadata).toEqual({ format: 'pt' });
    expect([...tensors.keys()]).toEqual(Object.keys(tiny.shapes));
    for (const [name, { dtype, shape, data }] of tensors) {
      expect(dtype).toBe(name.endsWith('tracked') ? 'I64' : 'F32');
      expect(shape).toEqual(tiny.shapes[name]);
      expect(Array.from(data, Number)).toEqual(tiny.values[name]);
    }
  });

  it('shares the memory of an aligned file, and copies otherwise', () => {
    const read = (source: Uint8Array) => readSafetensors('tiny', source).tensors.get('fc.weight')?.data;
    expect(read(bytes)?.buffer).toBe(bytes.buffer);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expect(read(shifted.subarray(1))).toEqual(read(bytes));
    expect(read(shifted.subarray(1))?.buffer).not.toBe(shifted.buffer);
  });

  it('takes tensors in any order, empty ones and spaces', () => {
    const header = ` { "b" : {"shape":[2],"data_offsets":[1, 3],"dtype":"U8"}, "a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},
      "none":{"dtype":"F32","shape":[0,7],"data_offsets":[3,3]}}   `;
    const { tensors } = readSafetensors('x', file(header, 3));
    expect([...tensors.keys()]).toEqual(['b', 'a', 'none']);
    expect(tensors.get('none')?.data).toEqual(new Float32Array(0));
  });

  const damaged: Record<string, [unknown, number]> = {
    'is no object': ['[]', 0],
    'is cut': ['{"a":{"dtype":"F32","sha', 0],
    'ends in an escape': ['{"a\\', 0],
    'has a bad escape': ['{"\\x":1}', 0],
    'goes on after its end': ['{} {}', 0],
    'has a negative offset': [{ a: entry('U8', [1], -1, 0) }, 1],
    'has a fraction': [{ a: entry('U8', [0.5], 0, 1) }, 1],
    'has a number past 2^53': ['{"a":{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,1]}}', 1],
    'has one offset': [{ a: entry('U8', [1], 0) }, 1],
    'has 33 dimensions': [{ a: entry('U8', Array(33).fill(1), 0, 1) }, 1],
    'has a strange field': [{ a: { ...entry('U8', [1], 0, 1), stride: [1] } }, 1],
    'lacks the shape': ['{"a":{"dtype":"U8","data_offsets":[0,1]}}', 1],
    'names a tensor twice': ['{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"a":{}}', 1],
    'has metadata that is no text': [{ __metadata__: { a: 1 } }, 0],
    'has an unknown dtype': [{ a: entry('F8_E4M3', [1], 0, 1) }, 1],
    'points past the end': [{ a: entry('F32', [2], 0, 8) }, 4],
    'ends before it begins': [{ a: entry('U8', [1], 1, 0) }, 1],
    'has too few bytes for the shape': [{ a: entry('F32', [2], 0, 4) }, 4],
    'has an absurd shape': [{ a: entry('F32', Array(2).fill(2 ** 52), 0, 4) }, 4],
    'has tensors that overlap': [{ a: entry('U8', [3], 0, 3), b: entry('U8', [2], 2, 4) }, 4],
    'has a hole': [{ a: entry('U8', [1], 0, 1), b: entry('U8', [1], 2, 3) }, 3],
    'leaves bytes over': [{ a: entry('U8', [1], 0, 1) }, 2],
  };

  it('says what is wrong with a header', () => {
    const messages = Object.entries(damaged).map(([name, [header, dataBytes]]) => {
      try {
        readSafetensors('w', file(header, dataBytes));
        return `${name}: taken`;
      } catch (error) {
        return `${name}: ${error instanceof UserError ? error.message : error}`;
      }
    });
    expect(messages).toMatchInlineSnapshot(`
      [
        "is no object: w: character 0 of the safetensors header is "[]", expected "{"; get the file again",
        "is cut: w: character 24 of the safetensors header is its end, expected the end of a string; get the file again",
        "ends in an escape: w: character 4 of the safetensors header is its end, expected the end of a string; get the file again",
        "has a bad escape: w: character 2 of the safetensors header is "\\\\x\\":1}", expected a string; get the file again",
        "goes on after its end: w: character 3 of the safetensors header is "{}", expected nothing more; get the file again",
        "has a negative offset: w: character 47 of the safetensors header is "-1,0]}}", expected a non-negative integer; get the file again",
        "has a fraction: w: character 29 of the safetensors header is ".5],\\"data_of", expected "]"; get the file again",
        "has a number past 2^53: w: character 28 of the safetensors header is "900719925474", expected a non-negative integer; get the file again",
        "has one offset: w: character 50 of the safetensors header is "}", expected "dtype", "shape" and two "data_offsets" of tensor "a" before it; get the file again",
        "has 33 dimensions: w: character 92 of the safetensors header is "1],\\"data_off", expected at most 32 numbers; get the file again",
        "has a strange field: w: character 61 of the safetensors header is "[1]}}", expected "dtype", "shape" or "data_offsets" before it; get the file again",
        "lacks the shape: w: character 40 of the safetensors header is "}", expected "dtype", "shape" and two "data_offsets" of tensor "a" before it; get the file again",
        "names a tensor twice: w: the safetensors header names "a" twice, expected once; get the file again",
        "has metadata that is no text: w: character 21 of the safetensors header is "1}}", expected """; get the file again",
        "has an unknown dtype: w: tensor "a" has dtype F8_E4M3, expected one of F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL; convert it with PyTorch",
        "points past the end: w: tensor "a" lies at bytes 0 to 8, but the file's data has 4 bytes; get the file again",
        "ends before it begins: w: tensor "a" lies at bytes 1 to 0, but the file's data has 1 bytes; get the file again",
        "has too few bytes for the shape: w: tensor "a" has 4 bytes, but F32 [2] needs 8; get the file again",
        "has an absurd shape: w: tensor "a" has 4 bytes, but F32 [4503599627370496,4503599627370496] needs 8.112963841460668e+31; get the file again",
        "has tensors that overlap: w: tensor "b" overlaps the tensor before it: it begins at byte 2, expected 3; get the file again",
        "has a hole: w: tensor "b" leaves a hole before it: it begins at byte 2, expected 1; get the file again",
        "leaves bytes over: w: the tensors take 1 bytes, but the file's data has 2; get the file again",
      ]
    `);
  });

  it('says what is wrong with the length', () => {
    expect(() => readSafetensors('w', bytes.subarray(0, 7))).toThrowErrorMatchingInlineSnapshot(
      `[UserError: w: 7 bytes are too few for a safetensors file; get the file again]`,
    );
    expect(() => readSafetensors('w', bytes.subarray(0, 40))).toThrowErrorMatchingInlineSnapshot(
      `[UserError: w: the safetensors header claims 600 bytes, but the file has 40; get the file again]`,
    );
    expect(() => readSafetensors('w', new Uint8Array(16).fill(255))).toThrowErrorMatchingInlineSnapshot(
      `[UserError: w: the safetensors header claims 18446744073709552000 bytes, but the file has 16; get the file again]`,
    );
    const notText = file('{"abc"}', 0).fill(0xff, 10, 11);
    expect(() => readSafetensors('w', notText)).toThrowErrorMatchingInlineSnapshot(
      `[UserError: w: the safetensors header is not UTF-8; get the file again]`,
    );
  });
});

describe('isSafetensors', () => {
  it('looks at the first bytes', () => {
    expect([bytes, file({}, 0)].map(isSafetensors)).toEqual([true, true]);
    const pth = new Uint8Array(readFileSync(new URL('../golden/tiny_zip.pth', import.meta.url)));
    expect([pth, bytes.subarray(0, 8), bytes.subarray(0, 100)].map(isSafetensors)).toEqual([false, false, false]);
  });
});

describe('writeSafetensors', () => {
  it('gives back what was written, of every dtype, aligned', () => {
    const tensors: StateDict = new Map(
      DTYPES.map((dtype) => [`t.${dtype}`, { dtype, shape: [1, 3], data: zeros(dtype, 3) }]),
    );
    for (const { data } of tensors.values()) {
      const raw = new Uint8Array(data.buffer);
      raw.set(raw.map((_, index) => index + 1));
    }
    const written = writeSafetensors(tensors, { format: 'pt', epoch: '3 "quoted"' });
    const read = readSafetensors('written', written);
    expect(read.metadata).toEqual({ format: 'pt', epoch: '3 "quoted"' });
    expect(new Map([...read.tensors].sort())).toEqual(new Map([...tensors].sort()));
    for (const { dtype, data } of read.tensors.values()) expect(data.byteOffset % elementBytes(dtype)).toBe(0);
    expect(writeSafetensors(tensors, { format: 'pt', epoch: '3 "quoted"' })).toEqual(written);
    expect(new DataView(written.buffer).getBigUint64(0, true) % 8n).toBe(0n);
  });

  it('keeps the order given among tensors of one dtype', () => {
    const one = { dtype: 'F32' as const, shape: [], data: Float32Array.of(1) };
    const written = writeSafetensors(new Map(['b', 'a', 'é'].map((name) => [name, one])));
    expect([...readSafetensors('x', written).tensors.keys()]).toEqual(['b', 'a', 'é']);
  });

  it('refuses a tensor whose data do not fill its shape', () => {
    const tensors = new Map([['a', { dtype: 'F32' as const, shape: [2], data: new Float32Array(3) }]]);
    expect(() => writeSafetensors(tensors)).toThrowErrorMatchingInlineSnapshot(
      `[UserError: safetensors: tensor a F32 [2] has 3 elements, cannot be written]`,
    );
  });
});
