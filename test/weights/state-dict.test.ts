import { describe, expect, it } from 'vitest';
import { normalizeNames } from '../../src/weights/names.ts';
import { writeSafetensors } from '../../src/weights/safetensors.ts';
import type { ExpectedTensor, StateDict } from '../../src/weights/state-dict.ts';
import { matchWeights, readWeights } from '../../src/weights/state-dict.ts';
import { floatTensor } from '../../src/weights/tensor-data.ts';
import { goldenBytes, goldenJson } from './checkpoint-files.ts';

const of = (shapes: Record<string, number[]>): StateDict =>
  new Map(
    Object.entries(shapes).map(([key, shape]) => [
      key,
      floatTensor(shape, new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(1)),
    ]),
  );
const listed = (shapes: Record<string, number[]>): ExpectedTensor[] =>
  Object.entries(shapes).map(([key, shape]) => ({ key, shape }));

describe('readWeights', () => {
  it('goes by the content, not by the name', () => {
    const [zip, legacy, safetensors] = ['tiny_zip.pth', 'tiny_legacy.pth', 'tiny.safetensors'].map((name) =>
      readWeights('weights.bin', goldenBytes(name)),
    );
    expect(zip).toEqual(safetensors);
    expect(legacy).toEqual(safetensors);
  });

  it('renames the tensors of every format', () => {
    const bytes = writeSafetensors(of({ 'module.denselayer2.conv.1.weight': [1], 'module.x': [2] }));
    expect([...readWeights('w', bytes).keys()]).toEqual(['denselayer2.conv1.weight', 'x']);
  });

  it('refuses other files', () => {
    const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0);
    expect(() => readWeights('a.png', png)).toThrowErrorMatchingInlineSnapshot(
      `[UserError: a.png: 9 bytes beginning with 89 50 4e 47 0d 0a 1a 0a, expected a .safetensors or .pth file; get it again]`,
    );
    expect(() => readWeights('none', new Uint8Array())).toThrowErrorMatchingInlineSnapshot(
      `[UserError: none: 0 bytes beginning with nothing, expected a .safetensors or .pth file; get it again]`,
    );
  });
});

describe('normalizeNames', () => {
  it("takes the names of torchvision's DenseNet files to the present ones", () => {
    const { densenet_published_keys: old } = goldenJson<{ densenet_published_keys: Record<string, number[]> }>(
      'tiny.json',
    );
    const names = [...normalizeNames('w', of(old)).keys()];
    expect(names).toHaveLength(Object.keys(old).length);
    expect(names).toContain('features.denseblock1.denselayer1.norm1.running_mean');
    expect(names).toContain('features.denseblock1.denselayer1.conv2.weight');
    expect(names.filter((name) => /(norm|conv)\.\d/.test(name))).toEqual([]);
  });

  it('takes off prefixes that all names have, and only those', () => {
    const names = (...keys: string[]) => [
      ...normalizeNames('w', of(Object.fromEntries(keys.map((key) => [key, []])))).keys(),
    ];
    expect(names('module._orig_mod.a', 'module._orig_mod.b')).toEqual(['a', 'b']);
    expect(names('module.a', 'b')).toEqual(['module.a', 'b']);
    expect(names()).toEqual([]);
    expect(names(`${'module.'.repeat(50_000)}a`)).toEqual(['a']);
  });

  it('refuses two tensors of one name', () => {
    const twice = of({ 'denselayer1.norm.1.weight': [1], 'denselayer1.norm1.weight': [1] });
    expect(() => normalizeNames('w', twice)).toThrowErrorMatchingInlineSnapshot(
      `[UserError: w: two tensors are called denselayer1.norm1.weight in torchvision's names, expected one; rename the other]`,
    );
  });
});

describe('matchWeights', () => {
  const net = {
    'conv.weight': [2, 1, 3, 3],
    'bn.weight': [2],
    'bn.num_batches_tracked': [],
    'hidden.weight': [4, 2],
    'hidden.bias': [4],
    'classifier.6.weight': [1, 4],
    'classifier.6.bias': [1],
  };

  it('takes what fits, in the order of the network', () => {
    const file = of(Object.fromEntries(Object.entries(net).reverse()));
    const { tensors, fresh, notes } = matchWeights('w', file, listed(net));
    expect([...tensors.keys()]).toEqual(Object.keys(net));
    for (const [key, tensor] of tensors) expect(tensor).toBe(file.get(key));
    expect([fresh, notes]).toEqual([[], []]);
  });

  it('replaces a head of another size, or none, and says so', () => {
    const other = of({ ...net, 'classifier.6.weight': [1000, 4], 'classifier.6.bias': [1000] });
    const { tensors, fresh, notes } = matchWeights('w', other, listed(net));
    expect(fresh).toEqual(['classifier.6.weight', 'classifier.6.bias']);
    expect([...tensors.keys()]).toEqual(Object.keys(net).slice(0, 5));
    const none = of(net);
    none.delete('classifier.6.weight');
    none.delete('classifier.6.bias');
    expect(matchWeights('w', none, listed(net)).fresh).toEqual(fresh);
    expect([...notes, ...matchWeights('w', none, listed(net)).notes]).toMatchInlineSnapshot(`
      [
        "w has 1000 outputs in classifier.6: replaced by a new layer with 1 output",
        "w has no classifier.6: replaced by a new layer with 1 output",
      ]
    `);
  });

  it('starts a missing num_batches_tracked at 0, and ignores one too many', () => {
    const file = of({ ...net, 'bn9.num_batches_tracked': [] });
    file.delete('bn.num_batches_tracked');
    const { tensors } = matchWeights('w', file, listed(net));
    expect(tensors.get('bn.num_batches_tracked')).toEqual({ dtype: 'I64', shape: [], data: BigInt64Array.of(0n) });
    expect(tensors.has('bn9.num_batches_tracked')).toBe(false);
  });

  it('replaces several heads and leaves out optional tensors where it is told to', () => {
    const file = of({
      ...net,
      'aux.fc.weight': [9, 2],
      'aux.fc.bias': [9],
      'hidden.weight': [9, 2],
      'hidden.bias': [9],
    });
    const { fresh } = matchWeights('w', file, listed(net), { heads: ['hidden', 'classifier.6'], optional: ['aux.'] });
    expect(fresh).toEqual(['hidden.weight', 'hidden.bias']);
  });

  it.each([
    ['other features before the head', { ...net, 'classifier.6.weight': [1, 5] }],
    ['another shape', { ...net, 'conv.weight': [2, 1, 1, 1] }],
    ['a tensor too many', { ...net, 'extra.weight': [1] }],
    [
      'a head without its weight',
      Object.fromEntries(Object.entries(net).filter(([key]) => key !== 'classifier.6.weight')),
    ],
  ])('refuses %s', (_, shapes) => {
    expect(() => matchWeights('w', of(shapes), listed(net))).toThrow(/^w: [12] tensors? do/);
  });

  it('lists ten of the tensors that do not fit', () => {
    const shapes = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`layer${index}.weight`, [index + 1]]));
    const error = () =>
      matchWeights('resnet.pth', of({ ...shapes, 'layer3.weight': [7, 7] }), listed({ ...shapes, ...net }));
    expect(error).toThrowErrorMatchingInlineSnapshot(
      `[UserError: resnet.pth: 5 tensors do not fit the network (is it another --model?): layer3.weight [7, 7], expected [4]; conv.weight none, expected [2, 1, 3, 3]; bn.weight none, expected [2]; hidden.weight none, expected [4, 2]; hidden.bias none, expected [4]]`,
    );
    const empty = () => matchWeights('vgg.pth', of({ 'features.weight': [1] }), listed(shapes));
    expect(empty).toThrowErrorMatchingInlineSnapshot(
      `[UserError: vgg.pth: 13 tensors do not fit the network (is it another --model?): layer0.weight none, expected [1]; layer1.weight none, expected [2]; layer2.weight none, expected [3]; layer3.weight none, expected [4]; layer4.weight none, expected [5]; layer5.weight none, expected [6]; layer6.weight none, expected [7]; layer7.weight none, expected [8]; layer8.weight none, expected [9]; layer9.weight none, expected [10]; and 3 more]`,
    );
  });
});
