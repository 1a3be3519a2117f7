import { describe, expect, test } from 'vitest';
import {
  type PhantomStudy,
  phantomBoxesFile,
  phantomImageFiles,
  phantomIndexFiles,
} from '../../../src/data/phantom/index.ts';

const base = { seed: 1, index: 0, study: 1 };
const STUDIES: readonly PhantomStudy[] = [
  { ...base, split: 'train', region: 'XR_HAND', patient: 7, label: 0, views: 2 },
  { ...base, split: 'valid', region: 'XR_ELBOW', patient: 12345, study: 2, label: 1, views: 1 },
];

describe('files of a phantom data set', () => {
  const images = phantomImageFiles('phantom', STUDIES);

  test('images lie where MURA has them', () => {
    expect(images.map(({ path, view }) => [path, view])).toEqual([
      ['phantom/train/XR_HAND/patient00007/study1_negative/image1.png', 0],
      ['phantom/train/XR_HAND/patient00007/study1_negative/image2.png', 1],
      ['phantom/valid/XR_ELBOW/patient12345/study2_positive/image1.png', 0],
    ]);
    expect(images[2]?.study).toBe(STUDIES[1]);
  });

  test('the four CSV files name images and labelled studies, without a header', () => {
    expect(phantomIndexFiles('phantom', STUDIES)).toEqual([
      {
        path: 'phantom/train_image_paths.csv',
        text:
          'phantom/train/XR_HAND/patient00007/study1_negative/image1.png\n' +
          'phantom/train/XR_HAND/patient00007/study1_negative/image2.png\n',
      },
      {
        path: 'phantom/train_labeled_studies.csv',
        text: 'phantom/train/XR_HAND/patient00007/study1_negative/,0\n',
      },
      {
        path: 'phantom/valid_image_paths.csv',
        text: 'phantom/valid/XR_ELBOW/patient12345/study2_positive/image1.png\n',
      },
      {
        path: 'phantom/valid_labeled_studies.csv',
        text: 'phantom/valid/XR_ELBOW/patient12345/study2_positive/,1\n',
      },
    ]);
  });

  test('boxes.csv has a line for each box under the image it lies in', () => {
    const box = { x: 3, y: 4, width: 10, height: 20, kind: 'lesion' } as const;
    expect(phantomBoxesFile('phantom', images, [[], [], [box]])).toEqual({
      path: 'phantom/boxes.csv',
      text: 'image,x,y,width,height,kind\nphantom/valid/XR_ELBOW/patient12345/study2_positive/image1.png,3,4,10,20,lesion\n',
    });
  });
});
