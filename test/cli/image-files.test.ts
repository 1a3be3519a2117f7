import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findImages, overlayNames } from '../../src/cli/image-files.ts';
import { temporaryFolder } from '../io/temporary.ts';

const root = temporaryFolder();
for (const path of [
  'a/x1.png',
  'a/x2.PNG',
  'a/._x1.png',
  'a/y[1].png',
  'a/deep/z.png',
  'b/x1.png',
  'b/notes.txt',
  'c/w.JPG',
  'c/v.jpeg',
  '.h/x1.png',
]) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), '');
}

const find = async (...paths: string[]) =>
  (await findImages(paths.map((path) => join(root, path)))).map((path) => path.slice(root.length + 1));

describe('findImages', () => {
  test.each<[string, string[]]>([
    ['b/notes.txt', ['b/notes.txt']],
    ['c', ['c/v.jpeg', 'c/w.JPG']],
    ['a', ['a/deep/z.png', 'a/x1.png', 'a/x2.PNG', 'a/y[1].png']],
    ['a/x?.png', ['a/x1.png']],
    ['*/x1.png', ['a/x1.png', 'b/x1.png']],
    ['a/[xy]1.png', ['a/x1.png']],
    ['a/[!y]1.png', ['a/x1.png']],
    ['a/y[1].png', ['a/y[1].png']],
    ['**/*.png', ['a/deep/z.png', 'a/x1.png', 'a/y[1].png', 'b/x1.png']],
    ['**/z.png', ['a/deep/z.png']],
    ['nothing*/deep', []],
  ])('%s', async (glob, expected) => {
    if (expected.length === 0) await expect(find(glob)).rejects.toThrow(`${glob} matches no file`);
    else expect(await find(glob)).toEqual(expected);
  });

  test('an image that is named twice comes once', async () => {
    expect(await find('b/x1.png', 'b', 'a/../b/x1.png')).toEqual(['b/x1.png']);
  });

  test('what is not there, and a folder without images', async () => {
    await expect(find('d')).rejects.toThrow(/d does not exist: give PNG or JPEG files, folders of them, or globs$/);
    mkdirSync(join(root, 'empty'));
    await expect(find('empty')).rejects.toThrow(/empty holds no PNG or JPEG files$/);
  });
});

test.each<[string[], string[]]>([
  [
    ['a/x.png', 'b/y.png'],
    ['x.png', 'y.png'],
  ],
  [
    ['a/x.png', 'b/x.png', 'c/y.png'],
    ['a_x.png', 'b_x.png', 'y.png'],
  ],
  [
    ['p/s/x.png', 'q/s/x.png', 'q/t/x.png'],
    ['p_s_x.png', 'q_s_x.png', 't_x.png'],
  ],
  [
    ['/a/b/x.png', '../b/x.png'],
    ['a_b_x.png', 'b_x.png'],
  ],
  [
    ['x.png', 'x.PNG', './x.jpg'],
    ['x.png', 'x_2.png', 'x_3.png'],
  ],
  [['study.1/x.y.png'], ['x.y.png']],
])('overlayNames(%j)', (images, names) => expect(overlayNames(images)).toEqual(names));
