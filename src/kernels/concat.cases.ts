import type { TensorType } from '../base/shape.ts';
import { concatImagesReference, concatReference, narrowImagesReference, narrowReference } from './concat.reference.ts';
import { concat, concatImages, type NarrowAttributes, narrow, narrowImages } from './concat.ts';
import type { ImageRange } from './definition.ts';
import { normal } from './draw.ts';
import { add, copy } from './elementwise.ts';
import type { Case, Emit, OpCases } from './reference.ts';

type NoAttributes = Record<never, never>;

const parts = (name: string, channels: readonly number[]) =>
  channels.map((count, index) => normal(`${name}.${index}`, [2, 3, 2, count]));

const concatCase = (channels: readonly number[]): Case<NoAttributes> => ({
  name: `channels ${channels.join(' + ')}`,
  inputs: parts(`concat ${channels}`, channels),
  attributes: {},
  differentiate: channels.map((_, index) => index),
});

/** Parts that are computed: they are written where they belong, or copied there where that cannot be. */
const computed = (channels: readonly number[]): Case<NoAttributes> => ({
  ...concatCase(channels),
  name: `computed parts of channels ${channels.join(' + ')}`,
  trace: <S extends TensorType>(emit: Emit<S>, inputs: readonly S[]) =>
    emit(
      concat,
      inputs.flatMap((part) => emit(add, [part, part], {})),
      {},
    ),
});

const twice: Case<NoAttributes> = {
  name: 'one part twice, and read besides',
  inputs: parts('concat twice', [4]),
  attributes: {},
  differentiate: [0],
  trace<S extends TensorType>(emit: Emit<S>, [x]: readonly S[]) {
    const [part] = emit(add, [x, x], {});
    const [whole] = emit(concat, [part, part], {});
    return [...emit(add, [part, x], {}), whole as S];
  },
};

const nested: Case<NoAttributes> = {
  name: 'a concatenation of concatenations: a dense block',
  inputs: parts('concat nested', [4, 4, 8]),
  attributes: {},
  differentiate: [0, 1, 2],
  trace<S extends TensorType>(emit: Emit<S>, [a, b, c]: readonly S[]) {
    const inner = emit(concat, [emit(add, [a, a], {})[0], emit(add, [b, b], {})[0]], {})[0];
    const sum = emit(add, [inner, c], {})[0];
    return emit(concat, [inner, sum], {});
  },
};

const twiceNested: Case<NoAttributes> = {
  name: 'a part of a part, beside it',
  inputs: parts('concat twice nested', [4, 8]),
  attributes: {},
  differentiate: [0, 1],
  trace<S extends TensorType>(emit: Emit<S>, [a, b]: readonly S[]) {
    const [part] = emit(add, [a, a], {});
    const [inner] = emit(concat, [part, emit(add, [b, b], {})[0]], {});
    return emit(concat, [inner, part], {});
  },
};

const narrowCase = (channels: number, attributes: NarrowAttributes): Case<NarrowAttributes> => ({
  name: `${attributes.channels} of ${channels} channels from ${attributes.start}`,
  inputs: [normal(`narrow ${channels}`, [2, 3, 2, channels])],
  attributes,
  // A view is no result of its own: results are contiguous.
  trace: <S extends TensorType>(emit: Emit<S>, inputs: readonly S[]) =>
    emit(copy, emit(narrow, inputs, attributes), {}),
});

const batches = (name: string, images: readonly number[], channels: number) =>
  images.map((count, index) => normal(`${name}.${index}`, [count, 3, 2, channels]));

const concatImagesCase = (images: readonly number[], channels: number): Case<NoAttributes> => ({
  name: `images ${images.join(' + ')} of ${channels} channels`,
  inputs: batches(`concat images ${images}`, images, channels),
  attributes: {},
});

/** Ranges of a tensor, each computed of the same range of another one and put together again beside a third. */
const ranges = (channels: number, other: number): Case<NoAttributes> => ({
  name: `ranges of ${channels} channels beside ${other} channels`,
  inputs: [...batches('ranges', [3], channels), ...batches('beside ranges', [3], other)],
  attributes: {},
  trace<S extends TensorType>(emit: Emit<S>, [x, beside]: readonly S[]) {
    const [whole] = emit(add, [x, x], {});
    const parts = [
      { first: 0, count: 1 },
      { first: 1, count: 2 },
    ].flatMap((range) => {
      const [part] = emit(narrowImages, [whole], range);
      return emit(add, [part, part], {});
    });
    const [joined] = emit(concatImages, parts, {});
    return emit(concat, [beside, joined, whole], {});
  },
});

const narrowImagesCase = (channels: number, attributes: ImageRange): Case<ImageRange> => ({
  name: `${attributes.count} of 5 images of ${channels} channels from ${attributes.first}`,
  inputs: batches('narrow images', [5], channels),
  attributes,
  trace: <S extends TensorType>(emit: Emit<S>, inputs: readonly S[]) =>
    emit(copy, emit(narrowImages, inputs, attributes), {}),
});

export const concatCases: readonly OpCases[] = [
  {
    op: concat,
    reference: concatReference,
    cases: [
      concatCase([4]),
      concatCase([4, 8, 32]),
      concatCase([3, 1, 5]),
      concatCase([4, 3, 4]),
      computed([4, 12, 4]),
      computed([3, 4, 5]),
      computed([1, 3, 4]),
      twice,
      nested,
      twiceNested,
    ],
  },
  {
    op: concatImages,
    reference: concatImagesReference,
    cases: [
      concatImagesCase([2], 4),
      concatImagesCase([1, 3, 2], 4),
      concatImagesCase([2, 1], 3),
      ranges(4, 8),
      ranges(3, 4),
      ranges(4, 3),
    ],
  },
  {
    op: narrowImages,
    reference: narrowImagesReference,
    maps: [0],
    cases: [
      narrowImagesCase(4, { first: 0, count: 5 }),
      narrowImagesCase(8, { first: 2, count: 2 }),
      narrowImagesCase(3, { first: 4, count: 1 }),
    ],
  },
  {
    op: narrow,
    reference: narrowReference,
    cases: [
      narrowCase(12, { start: 0, channels: 12 }),
      narrowCase(12, { start: 4, channels: 4 }),
      narrowCase(12, { start: 3, channels: 4 }),
      narrowCase(7, { start: 0, channels: 4 }),
      narrowCase(7, { start: 3, channels: 4 }),
      narrowCase(5, { start: 1, channels: 3 }),
    ],
  },
];
