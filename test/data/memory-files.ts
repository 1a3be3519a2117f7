import { UserError } from '../../src/base/errors.ts';
import type { FileSystem } from '../../src/base/files.ts';

/** Text files in memory, by path; writing is refused. */
export function memoryFiles(texts: Record<string, string>): FileSystem {
  const paths = Object.keys(texts);
  const readText = async (path: string) => {
    const text = texts[path];
    if (text === undefined) throw new UserError(`cannot read ${path}: no such file or folder`);
    return text.replace(/^\uFEFF/, '');
  };
  const list = async (directory: string) => {
    const start = directory.endsWith('/') ? directory : `${directory}/`;
    const below = paths.filter((path) => path.startsWith(start)).map((path) => path.slice(start.length));
    return [...new Set(below.map((path) => path.replace(/\/.*$/, '/')))].sort();
  };
  const refuse = async () => {
    throw new Error('these files cannot be written');
  };
  return {
    readText,
    readBytes: async (path) => new TextEncoder().encode(await readText(path)),
    exists: async (path) => paths.some((known) => known === path || known.startsWith(path.replace(/\/?$/, '/'))),
    list,
    writeAtomic: refuse,
    remove: refuse,
    makeDirectory: refuse,
  };
}
