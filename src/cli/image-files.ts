import { readdir, stat } from 'node:fs/promises';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { UserError } from '../base/errors.ts';

/** macOS leaves `._` files, which are no images, beside the real ones. */
const isImage = (path: string): boolean => /\.(png|jpe?g)$/i.test(path) && !basename(path).startsWith('._');

/** The paths that a glob stands for, for shells that leave it as it is; a path that is none stands for itself. */
async function expandGlob(path: string): Promise<string[]> {
  if (!isDynamicPattern(path) || (await stat(path).catch(() => undefined))) return [path];
  const found = await glob(path, { absolute: isAbsolute(path), onlyFiles: false, expandDirectories: false });
  if (found.length === 0)
    throw new UserError(`${path} matches no file: give PNG or JPEG files, folders of them, or globs`);
  return found.sort();
}

/** Image files as they are named; of folders the PNG and JPEG files in them and below; each once, in the order given. */
export async function findImages(paths: readonly string[]): Promise<string[]> {
  const found = new Map<string, string>();
  const add = (path: string) => found.set(resolve(path), found.get(resolve(path)) ?? path);
  for (const path of (await Promise.all(paths.map(expandGlob))).flat()) {
    const info = await stat(path).catch(() => undefined);
    if (!info) throw new UserError(`${path} does not exist: give PNG or JPEG files, folders of them, or globs`);
    if (!info.isDirectory()) {
      add(path);
      continue;
    }
    const below = (await readdir(path, { recursive: true })).filter(isImage).sort();
    if (below.length === 0) throw new UserError(`${path} holds no PNG or JPEG files`);
    for (const name of below) add(join(path, name));
  }
  return [...found.values()];
}

/** The last `count` parts of a path without its extension, as a file name. */
function nameOf(path: string, count: number): string {
  const parts = path.split(/[/\\]+/).filter((part) => part !== '.' && part !== '..' && part !== '');
  return parts
    .slice(-count)
    .join('_')
    .replace(/\.[^.]+$/, '');
}

/**
 * A file name of its own for each image's overlay: the image's, with as many of the folders above it as set it apart
 * from the others, and a number where all of them do not.
 */
export function overlayNames(images: readonly string[]): string[] {
  const depths = images.map(() => 1);
  const deepest = Math.max(...images.map((image) => image.split(/[/\\]+/).length));
  const names = () => images.map((image, index) => nameOf(image, depths[index] as number));
  for (let depth = 2; depth <= deepest; depth++) {
    const counts = new Map<string, number>();
    for (const name of names()) counts.set(name, (counts.get(name) ?? 0) + 1);
    for (const [index, name] of names().entries()) if ((counts.get(name) ?? 0) > 1) depths[index] = depth;
  }
  const taken = new Set<string>();
  return names().map((name) => {
    let own = name;
    for (let number = 2; taken.has(own); number++) own = `${name}_${number}`;
    taken.add(own);
    return `${own}.png`;
  });
}
