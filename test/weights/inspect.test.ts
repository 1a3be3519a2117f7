import { describe, expect, it } from 'vitest';
import { convertWeights, inspectWeights } from '../../src/weights/inspect.ts';
import { readSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts';
import { readWeights } from '../../src/weights/state-dict.ts';
import { floatTensor, toFloat32 } from '../../src/weights/tensor-data.ts';
import { goldenBytes, goldenJson } from './checkpoint-files.ts';

const { files } = goldenJson<{ files: Record<string, Record<string, { values: number[] }>> }>('checkpoints.json');

describe('inspectWeights', () => {
  it.each(Object.keys(files))('summarizes %s', (name) => {
    const rows = inspectWeights(name, goldenBytes(name));
    expect(rows.map((row) => row.name)).toEqual(Object.keys(files[name] ?? {}));
    for (const { name: key, min, max, mean } of rows) {
      const values = files[name]?.[key]?.values ?? [];
      if (values.length === 0) {
        expect([min, max, mean]).toEqual([null, null, null]);
        continue;
      }
      expect([min, max]).toEqual([Math.min(...values), Math.max(...values)]);
      expect(mean).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / values.length, 10);
    }
  });

  it('shows NaN', () => {
    const bytes = writeSafetensors(new Map([['a', floatTensor([2], Float32Array.of(1, Number.NaN))]]));
    expect(inspectWeights('w', bytes)).toEqual([
      { name: 'a', dtype: 'F32', shape: [2], min: Number.NaN, max: Number.NaN, mean: Number.NaN },
    ]);
  });
});

describe('convertWeights', () => {
  it.each(['tiny_zip.pth', 'tiny_legacy.pth', 'checkpoint_dtypes_zip.pth'])('keeps the tensors of %s', (name) => {
    const bytes = convertWeights(name, goldenBytes(name));
    expect(new Map([...readWeights('w', bytes)].sort())).toEqual(
      new Map([...readWeights(name, goldenBytes(name))].sort()),
    );
    expect(readSafetensors('w', bytes).metadata).toEqual({ format: 'pt' });
  });

  it('keeps the metadata of a .safetensors file', () => {
    const tensors = new Map([['a', floatTensor([1], Float32Array.of(1))]]);
    const metadata = { model: 'densenet121', image_size: '64' };
    const bytes = convertWeights('w', writeSafetensors(tensors, metadata), 'F16');
    expect(readSafetensors('w', bytes).metadata).toEqual({ format: 'pt', ...metadata });
  });

  it.each([
    ['F32', 0],
    ['F16', 2 ** -11],
    ['BF16', 2 ** -8],
  ] as const)('writes %s within half a unit in the last place', (dtype, epsilon) => {
    const before = readWeights('w', goldenBytes('tiny_zip.pth'));
    const after = readWeights('w', convertWeights('w', goldenBytes('tiny_zip.pth'), dtype));
    for (const [name, tensor] of before) {
      const got = after.get(name);
      expect(got?.dtype).toBe(name.endsWith('tracked') ? 'I64' : dtype);
      const values = got === undefined ? [] : toFloat32(got);
      expect(values).toHaveLength(tensor.data.length);
      toFloat32(tensor).forEach((value, index) => {
        expect(Math.abs((values[index] as number) - value)).toBeLessThanOrEqual(epsilon * Math.abs(value));
      });
    }
  });
});
