import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { readMura, readSplit, withoutImages } from '../../src/data/mura.ts';
import { memoryFiles } from './memory-files.ts';

const WRIST = 'MURA-v1.1/train/XR_WRIST/patient00001/study1_positive';
const HAND = 'MURA-v1.1/train/XR_HAND/patient00002/study1_negative';
const VALID = 'MURA-v1.1/valid/XR_HAND/patient00009/study2_negative';

const TRAIN_IMAGES = `${WRIST}/image1.png\n${WRIST}/image2.png\n${HAND}/image1.png\n`;
const TRAIN_STUDIES = `${WRIST}/,1\n${HAND}/,0\n`;

function folder(images: string, studies: string, valid = VALID) {
  return memoryFiles({
    'here/train_image_paths.csv': images,
    'here/train_labeled_studies.csv': studies,
    'here/valid_image_paths.csv': `${valid}/image1.png\n`,
    'here/valid_labeled_studies.csv': `${valid}/,0\n`,
  });
}

async function failure(images: string, studies: string): Promise<string> {
  const error = await readSplit(folder(images, studies), 'here', 'train').then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).not.toContain('\n');
  return (error as Error).message;
}

describe('readSplit', () => {
  it('reads images and studies in the order of the lists', async () => {
    const { split, problems } = await readSplit(folder(TRAIN_IMAGES, TRAIN_STUDIES), 'here', 'train');
    expect(problems).toEqual([]);
    expect(split).toEqual({
      name: 'train',
      images: [
        {
          path: 'train/XR_WRIST/patient00001/study1_positive/image1.png',
          region: 'XR_WRIST',
          patient: 'patient00001',
          study: 0,
          label: 1,
        },
        {
          path: 'train/XR_WRIST/patient00001/study1_positive/image2.png',
          region: 'XR_WRIST',
          patient: 'patient00001',
          study: 0,
          label: 1,
        },
        {
          path: 'train/XR_HAND/patient00002/study1_negative/image1.png',
          region: 'XR_HAND',
          patient: 'patient00002',
          study: 1,
          label: 0,
        },
      ],
      studies: [
        {
          path: 'train/XR_WRIST/patient00001/study1_positive',
          region: 'XR_WRIST',
          patient: 'patient00001',
          label: 1,
          images: [0, 1],
        },
        {
          path: 'train/XR_HAND/patient00002/study1_negative',
          region: 'XR_HAND',
          patient: 'patient00002',
          label: 0,
          images: [2],
        },
      ],
    });
  });

  it('takes the label from the list, not from the name of the folder', async () => {
    const { split } = await readSplit(folder(TRAIN_IMAGES, `${WRIST}/,0\n${HAND}/,1\n`), 'here', 'train');
    expect(split.images.map((image) => image.label)).toEqual([0, 0, 1]);
  });

  it('takes CRLF, a byte order mark, blank lines, spaces and a missing last line end', async () => {
    const plain = await readSplit(folder(TRAIN_IMAGES, TRAIN_STUDIES), 'here', 'train');
    const images = `\uFEFF${TRAIN_IMAGES.trimEnd().replaceAll('\n', '\r\n\r\n')}  `;
    const studies = `\uFEFF\r\n${WRIST}/ , 1\r\n\r\n${HAND},0`;
    expect(await readSplit(folder(images, studies), 'here', 'train')).toEqual(plain);
  });

  it('passes over ._ files', async () => {
    const images = `${WRIST}/._image1.png\n${TRAIN_IMAGES}`;
    expect((await readSplit(folder(images, TRAIN_STUDIES), 'here', 'train')).split.images).toHaveLength(3);
  });

  it('counts what is listed twice once and says so', async () => {
    const files = folder(`${TRAIN_IMAGES}${HAND}/image1.png\n`, `${TRAIN_STUDIES}${HAND}/,0\n`);
    const { split, problems } = await readSplit(files, 'here', 'train');
    expect([split.images.length, split.studies.length]).toEqual([3, 2]);
    expect(problems).toEqual([
      'here/train_labeled_studies.csv, line 3: study train/XR_HAND/patient00002/study1_negative is listed twice, counted once',
      'here/train_image_paths.csv, line 4: image train/XR_HAND/patient00002/study1_negative/image1.png is listed twice, counted once',
    ]);
  });

  it('reads a folder with nothing but the validation split', async () => {
    const files = memoryFiles({
      'here/valid_image_paths.csv': `${VALID}/image1.png`,
      'here/valid_labeled_studies.csv': `${VALID}/,0`,
    });
    expect((await readSplit(files, 'here', 'valid')).split.images).toHaveLength(1);
    await expect(readSplit(files, 'here', 'train')).rejects.toThrowErrorMatchingInlineSnapshot(
      `[UserError: here has no train_image_paths.csv: expected a folder in MURA's layout (train_image_paths.csv, train_labeled_studies.csv, valid_image_paths.csv, valid_labeled_studies.csv)]`,
    );
  });
});

describe('readSplit names file and line of', () => {
  it('an image without a labelled study', async () => {
    expect(await failure(TRAIN_IMAGES, `${WRIST}/,1\n`)).toMatchInlineSnapshot(
      `"here/train_image_paths.csv, line 3: the study of image train/XR_HAND/patient00002/study1_negative/image1.png has no label: add it to train_labeled_studies.csv"`,
    );
  });

  it('a study without images', async () => {
    expect(await failure(`${WRIST}/image1.png\n`, TRAIN_STUDIES)).toMatchInlineSnapshot(
      `"here/train_labeled_studies.csv, line 2: study train/XR_HAND/patient00002/study1_negative has no image in train_image_paths.csv"`,
    );
  });

  it('a label that is neither 0 nor 1', async () => {
    expect(await failure(TRAIN_IMAGES, `${WRIST}/,2\n${HAND}/,0`)).toMatchInlineSnapshot(
      `"here/train_labeled_studies.csv, line 1: got "MURA-v1.1/train/XR_WRIST/patient00001/study1_positive/,2", expected a study's folder and its label, like MURA-v1.1/train/XR_WRIST/patient00001/study1_positive/,1"`,
    );
  });

  it('labels that contradict each other', async () => {
    expect(await failure(TRAIN_IMAGES, `${TRAIN_STUDIES}${HAND}/,1`)).toMatchInlineSnapshot(
      `"here/train_labeled_studies.csv, line 3: study train/XR_HAND/patient00002/study1_negative has label 1 here and 0 before"`,
    );
  });

  it.each(['image1.png', `${WRIST}/../image1.png`, `/${WRIST}/image1.png`, `${WRIST}/more/image1.png`])(
    'the path %s',
    async (path) => {
      expect(await failure(`\n${path}\n${TRAIN_IMAGES}`, TRAIN_STUDIES)).toBe(
        `here/train_image_paths.csv, line 2: got "${path}", expected an image's path, like MURA-v1.1/train/XR_WRIST/patient00001/study1_positive/image1.png`,
      );
    },
  );

  it('an empty list', async () => {
    expect(await failure('', '\n')).toMatchInlineSnapshot(
      `"here/train_labeled_studies.csv is empty: expected a study a line"`,
    );
  });
});

describe('readMura', () => {
  it('reads both splits', async () => {
    const { train, valid, problems } = await readMura(folder(TRAIN_IMAGES, TRAIN_STUDIES), 'here');
    expect([train.images.length, valid.images.length, problems.length]).toEqual([3, 1, 0]);
  });

  it('warns of a patient in both splits and keeps the studies', async () => {
    const valid = 'MURA-v1.1/valid/XR_HAND/patient00002/study1_negative';
    const index = await readMura(folder(TRAIN_IMAGES, TRAIN_STUDIES, valid), 'here');
    expect(index.train.images).toHaveLength(3);
    expect(index.problems).toEqual(['patients in both train and valid: 1 (patient00002)']);
  });

  it('leaves a study of the validation split out of train', async () => {
    const { train, valid, problems } = await readMura(folder(TRAIN_IMAGES, TRAIN_STUDIES, WRIST), 'here');
    expect(train.studies.map((study) => study.path)).toEqual(['train/XR_HAND/patient00002/study1_negative']);
    expect(train.images.map((image) => image.study)).toEqual([0]);
    expect(valid.images).toHaveLength(1);
    expect(problems).toEqual([
      'studies in both splits, left out of train: 1 (train/XR_WRIST/patient00001/study1_positive)',
    ]);
  });
});

describe('withoutImages', () => {
  it('renews indices and drops studies without images', async () => {
    const { split } = await readSplit(folder(TRAIN_IMAGES, TRAIN_STUDIES), 'here', 'train');
    const first = withoutImages(split, new Set([0]));
    expect(first.images.map((image) => [image.path.slice(-10), image.study])).toEqual([
      ['image2.png', 0],
      ['image1.png', 1],
    ]);
    expect(first.studies.map((study) => study.images)).toEqual([[0], [1]]);
    const both = withoutImages(split, new Set([0, 1]));
    expect(both.images.map((image) => image.study)).toEqual([0]);
    expect(both.studies.map((study) => [study.label, study.images])).toEqual([[0, [0]]]);
    expect(split.studies.map((study) => study.images)).toEqual([[0, 1], [2]]);
  });
});
