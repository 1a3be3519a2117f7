import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { readPth } from '../../src/weights/pth.ts';
import { readWeights } from '../../src/weights/state-dict.ts';
import type { TensorData } from '../../src/weights/tensor-data.ts';
import { toFloat32 } from '../../src/weights/tensor-data.ts';
import * as files from './checkpoint-files.ts';

const { call, checkpoint, dict, floats, goldenBytes, goldenJson, int, joined, storage, str, tensor, tuple } = files;

const tiny = goldenJson<{
  values: Record<string, number[]>;
  shapes: Record<string, number[]>;
  views: Record<string, unknown[]>;
}>('tiny.json');
const checkpoints = goldenJson<{
  files: Record<string, Record<string, { dtype: string; shape: number[]; values: number[] }>>;
}>('checkpoints.json').files;

const TORCH_DTYPES: Record<string, string> = {
  F64: 'torch.float64',
  F32: 'torch.float32',
  F16: 'torch.float16',
  BF16: 'torch.bfloat16',
  I64: 'torch.int64',
  I32: 'torch.int32',
  I16: 'torch.int16',
  I8: 'torch.int8',
  U8: 'torch.uint8',
  BOOL: 'torch.bool',
};

const values = (one: TensorData) =>
  one.dtype.endsWith('F16') ? Array.from(toFloat32(one)) : Array.from(one.data as Float32Array, Number);

describe('readPth', () => {
  it.each(['tiny_zip.pth', 'tiny_legacy.pth'])('reads %s', (name) => {
    const tensors = readPth(name, goldenBytes(name));
    expect([...tensors.keys()]).toEqual(Object.keys(tiny.shapes));
    for (const [key, one] of tensors) {
      expect(one.dtype).toBe(key.endsWith('tracked') ? 'I64' : 'F32');
      expect(one.shape).toEqual(tiny.shapes[key]);
      expect(values(one)).toEqual(tiny.values[key]);
    }
  });

  it('reads views of one storage', () => {
    const tensors = readPth('tiny_views.pth', goldenBytes('tiny_views.pth'));
    expect(Object.fromEntries([...tensors].map(([key, one]) => [key, values(one)]))).toEqual(
      Object.fromEntries(Object.entries(tiny.views).map(([key, rows]) => [key, rows.flat()])),
    );
    expect(tensors.get('row1')?.data.buffer).toBe(tensors.get('whole')?.data.buffer);
  });

  it.each(Object.keys(checkpoints))('reads %s at every alignment', (name) => {
    const bytes = goldenBytes(name);
    for (let shift = 0; shift < 8; shift++) {
      // A Buffer, as Node's file functions give it: its slice() is no copy.
      const moved = Buffer.alloc(bytes.length + shift);
      moved.set(bytes, shift);
      const got = [...readWeights(name, moved.subarray(shift))].map(([key, one]) => [
        key,
        { dtype: TORCH_DTYPES[one.dtype], shape: one.shape, values: values(one) },
      ]);
      expect(got).toEqual(Object.entries(checkpoints[name] ?? {}));
    }
  });

  it("reads zip64 archives, and storages that begin after a file's other", () => {
    const bytes = checkpoint(
      dict({ a: tensor(storage('0', 3), 1, [2], [1]) }),
      { 0: floats(1, 2, 3) },
      { zip64: true },
    );
    expect(values(readPth('w', bytes).get('a') as TensorData)).toEqual([2, 3]);
  });

  it('reads an OrderedDict of Python 2, its str and the view metadata of old storages', () => {
    const old = (text: string) => joined('U', text.length, text);
    const view = joined(
      tuple(
        old('storage'),
        joined('ctorch\nFloatStorage\n'),
        old('7'),
        old('cpu'),
        int(4),
        tuple(old('8'), int(1), int(3)),
      ),
      'Q',
    );
    const pair = joined('](', old('w'), tensor(view, 1, [2], [1]), 'e');
    const bytes = checkpoint(call('collections', 'OrderedDict', joined('](', pair, 'e')), { 7: floats(1, 2, 3, 4) });
    expect(values(readPth('w', bytes).get('w') as TensorData)).toEqual([3, 4]);
  });
});

describe('a checkpoint that is refused', () => {
  const one = (of: Uint8Array) => checkpoint(dict({ a: of }), { 0: floats(1, 2) });
  const cases: Record<string, Uint8Array> = {
    'of a whole model': goldenBytes('checkpoint_module.pth'),
    'that calls a function': checkpoint(call('os', 'system', str('true'))),
    'that names by the stack': checkpoint(joined(str('builtins'), str('eval'), 0x93)),
    'with an opcode for instances': checkpoint(joined('(ios\nsystem\n')),
    'of a number': checkpoint(int(1)),
    'of a list': checkpoint(joined(']')),
    'without tensors': checkpoint(dict({ epoch: int(1), args: dict({}) })),
    'whose pickle is cut': files.zipOf({ 'a/data.pkl': joined(0x80, 2, '}X', 200, 0, 0, 0) }),
    'with an empty stack': checkpoint(joined('a')),
    'with no mark': checkpoint(joined('}u')),
    'that reads an empty memo': checkpoint(joined('h', 3)),
    'that appends to a dict': checkpoint(joined('}Na')),
    "that sets a tensor's state": checkpoint(joined(tensor(storage('0', 2), 0, [2], [1]), '}b')),
    'with an odd dict': checkpoint(joined('}(Nu')),
    'that calls a storage class': checkpoint(call('torch', 'FloatStorage')),
    'with an unknown storage': one(joined(int(3), 'Q')),
    'of a module as storage': one(joined(tuple(str('module')), 'Q')),
    'whose storage is missing': one(tensor(storage('1', 2), 0, [2], [1])),
    'whose storage is short': one(tensor(storage('0', 3), 0, [2], [1])),
    'that reaches too far': one(tensor(storage('0', 2), 1, [2], [1])),
    'that strides too far': one(tensor(storage('0', 2), 0, [2, 2], [1, 2])),
    'with too few strides': one(tensor(storage('0', 2), 0, [2], [])),
    'with a negative size': one(tensor(storage('0', 2), 0, [0xffffffff], [1])),
    'with 33 dimensions': one(tensor(storage('0', 2), 0, Array(33).fill(1), Array(33).fill(1))),
    'that is expanded beyond memory': one(tensor(storage('0', 2), 0, [2 ** 30, 2 ** 30], [0, 0])),
    'of TorchScript': files.zipOf({ 'a/data.pkl': new Uint8Array(1), 'a/constants.pkl': new Uint8Array(1) }),
    'of another zip': files.zipOf({ 'readme.txt': new Uint8Array(1) }),
    'of a big-endian machine': files.zipOf({ 'a/data.pkl': joined(0x80, 2, 'N.'), 'a/byteorder': joined('big') }),
    'that is compressed': checkpoint(int(1), {}, { method: 8 }),
    'that is encrypted': checkpoint(int(1), {}, { flags: 1 }),
    'whose zip has no end': goldenBytes('tiny_zip.pth').subarray(0, 2000),
    'of another pickle': joined(0x80, 2, 'N.'),
    'whose stream is cut': goldenBytes('tiny_legacy.pth').subarray(0, 1700),
  };

  it('is named with its fault', () => {
    const messages = Object.entries(cases).map(([name, bytes]) => {
      try {
        return `${name}: taken, ${readPth('w', bytes).size} tensors`;
      } catch (error) {
        return `${name}: ${error instanceof UserError ? error.message : `${error} ${(error as Error).stack}`}`;
      }
    });
    expect(messages).toMatchInlineSnapshot(`
      [
        "of a whole model: w: the pickle names torch.nn.modules.container.Sequential, which no tensor needs, at byte 2, expected a state_dict; save it again with torch.save(model.state_dict(), path)",
        "that calls a function: w: the pickle names os.system, which no tensor needs, at byte 2, expected a state_dict; save it again with torch.save(model.state_dict(), path)",
        "that names by the stack: w: the pickle names builtins.eval, which no tensor needs, at byte 18, expected a state_dict; save it again with torch.save(model.state_dict(), path)",
        "with an opcode for instances: w: the pickle has opcode 0x69, which no tensor needs, at byte 3, expected a state_dict; save it again with torch.save(model.state_dict(), path)",
        "of a number: w: holds a number, expected a dict of tensors or one under state_dict, model_state_dict, model, module, net; save model.state_dict()",
        "of a list: w: holds a list, expected a dict of tensors or one under state_dict, model_state_dict, model, module, net; save model.state_dict()",
        "without tensors: w: holds a dict of epoch, args, expected a dict of tensors or one under state_dict, model_state_dict, model, module, net; save model.state_dict()",
        "whose pickle is cut: w: the pickle is cut off at byte 3, expected a state_dict; save it again with torch.save(model.state_dict(), path)",
        "with an empty stack: w: the pickle takes a value that is not there at byte 2, expected a state_dict; save it again with torch.save(model.state_dict(), path)",
        "with no mark: w: the pickle takes a mark that is not there at byte 3, expected a state_dict; save it again with torch.save(model.state_dict(), path)",
        "that reads an empty memo: w: the pickle takes memo 3, which is not there, at byte 2, expected a state_dict; save it again with torch.save(model.state_dict(), path)",
        "that appends to a dict: w: the pickle appends to a dict at byte 4, expected a state_dict; save it again with torch.save(model.state_dict(), path)",
        "that sets a tensor's state: w: the pickle sets the state of a tensor at byte 100, expected a state_dict; save it again with torch.save(model.state_dict(), path)",
        "with an odd dict: w: the pickle sets 1 items of a dict at byte 5, expected a state_dict; save it again with torch.save(model.state_dict(), path)",
        "that calls a storage class: w: the pickle calls torch.FloatStorage with a tuple at byte 24, expected a state_dict; save it again with torch.save(model.state_dict(), path)",
        "with an unknown storage: w: a persistent id is a number, expected a storage; the checkpoint is damaged or of an unknown PyTorch, save it again",
        "of a module as storage: w: it holds a whole model, expected a state_dict; the checkpoint is damaged or of an unknown PyTorch, save it again",
        "whose storage is missing: w: storage 1 of a is not there, expected 2 F32 elements; get the file again",
        "whose storage is short: w: storage 0 of a has 8 bytes, expected 3 F32 elements; get the file again",
        "that reaches too far: w: a [2] reaches element 2 of storage 0, which has 2; get the file again",
        "that strides too far: w: a [2,2] reaches element 3 of storage 0, which has 2; get the file again",
        "with too few strides: w: a tensor has 1 sizes and 0 strides; the checkpoint is damaged or of an unknown PyTorch, save it again",
        "with a negative size: w: a tensor's size is -1, expected a count; the checkpoint is damaged or of an unknown PyTorch, save it again",
        "with 33 dimensions: w: a tensor's size is a tuple, expected a tuple of at most 32 counts; the checkpoint is damaged or of an unknown PyTorch, save it again",
        "that is expanded beyond memory: w: a [1073741824,1073741824] needs 4611686018427388000 bytes, more than 4 times the file in all (1049912); get the file again",
        "of TorchScript: w: is a TorchScript model, expected a state_dict; write one with torch.save(model.state_dict(), path)",
        "of another zip: w: is a zip archive without data.pkl, expected a state_dict; write one with torch.save(model.state_dict(), path)",
        "of a big-endian machine: w: is of a big-endian machine, expected little-endian; save it again on another",
        "that is compressed: w: a/data.pkl is compressed or encrypted, but torch.save stores it; unpack and zip -0 it",
        "that is encrypted: w: a/data.pkl is compressed or encrypted, but torch.save stores it; unpack and zip -0 it",
        "whose zip has no end: w: the end record is missing; the zip archive is damaged, get the file again",
        "of another pickle: w: is a pickle, but not of torch.save; write it with torch.save(model.state_dict(), path)",
        "whose stream is cut: w: storage 537532816 at byte 1278 has 108 elements, expected 108 F32 before the file's end at 1700; get the file again",
      ]
    `);
  });

  it('is refused before a small file can make large things', () => {
    const copies = (item: string, count: number) => checkpoint(joined('](', item.repeat(count), 'e'));
    for (const bytes of [copies('}', 100_000), copies(')', 200_000), copies(']', 200_000)]) {
      expect(() => readPth('w', bytes)).toThrow('more than 4 times the file');
    }
    // A list of 1,000 pairs, made an OrderedDict 10,000 times.
    const pair = tuple(str('k'), int(1));
    const list = joined('](', ...Array(1000).fill(pair), 'eq', 1, 'ccollections\nOrderedDict\nq', 2);
    const bomb = joined(list, 'h', 1, 0x85, 'q', 3, ...Array(10_000).fill(joined('h', 2, 'h', 3, 'R')));
    expect(() => readPth('w', checkpoint(bomb))).toThrow('more than 4 times the file');
  });
});
