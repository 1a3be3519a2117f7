import { Random } from '../base/random.ts';
import { augmentReference } from './augment.reference.ts';
import { AUGMENT_WORDS, type AugmentAttributes, augment } from './augment.ts';
import { words } from './draw.ts';
import type { Case, OpCases } from './reference.ts';

interface Picture {
  readonly channels: 1 | 3;
  readonly flip: boolean;
  /** Counter-clockwise, in degrees. */
  readonly degrees: number;
}

function augmentCase(name: string, size: number, pictures: readonly Picture[]): Case<AugmentAttributes> {
  const random = new Random(size);
  const table = new Float32Array(pictures.length * AUGMENT_WORDS);
  const integers = new Uint32Array(table.buffer);
  let offset = 0;
  pictures.forEach(({ channels, flip, degrees }, index) => {
    const radians = (degrees * Math.PI) / 180;
    table.set([Math.cos(radians), Math.sin(radians)], index * AUGMENT_WORDS + 3);
    integers.set([offset, channels, flip ? 1 : 0], index * AUGMENT_WORDS);
    offset += 4 * Math.ceil((channels * size * size) / 4);
  });
  const pixels = Array.from({ length: offset / 4 }, () => random.bits());
  return {
    name,
    inputs: [words([pixels.length], pixels), words([pictures.length, AUGMENT_WORDS], integers)],
    attributes: { images: pictures.length, size },
  };
}

/** The last `images` of a case's images alone. */
function lastOf(images: number, whole: Case<AugmentAttributes>): Case<AugmentAttributes> {
  const first = whole.attributes.images - images;
  return {
    ...whole,
    name: `${whole.name}, from image ${first} on`,
    attributes: { ...whole.attributes, images, first },
  };
}

const half = (whole: Case<AugmentAttributes>): Case<AugmentAttributes> => ({
  ...whole,
  name: `${whole.name}, to -1 to 1`,
  attributes: { ...whole.attributes, normalisation: 'half' },
});

const plain: Picture = { channels: 1, flip: false, degrees: 0 };

const mixed = augmentCase('grey and colour, flipped and turned', 11, [
  { channels: 3, flip: true, degrees: 30 },
  { channels: 1, flip: true, degrees: -13 },
  { channels: 3, flip: false, degrees: 3 },
]);

export const augmentCases: OpCases<AugmentAttributes> = {
  op: augment,
  reference: augmentReference,
  cases: [
    augmentCase('one grey picture as it is', 8, [plain]),
    augmentCase('flipped, odd size', 7, [{ ...plain, flip: true }]),
    augmentCase('turned left and right', 9, [
      { ...plain, degrees: 17 },
      { ...plain, degrees: -29.5 },
    ]),
    mixed,
    lastOf(2, mixed),
    half(mixed),
    augmentCase('a quarter and a half turn', 6, [
      { ...plain, degrees: 90 },
      { channels: 3, flip: false, degrees: 180 },
    ]),
  ],
};
