import { UserError } from '../../src/base/errors.ts';
import type { FileSystem } from '../../src/base/files.ts';

/** Files in memory that are written whole or not at all; `failsAfter` writes, every other one is an error. */
export function writtenFiles(): FileSystem & { contents: Map<string, Uint8Array>; failsAfter: number; error: Error } {
  const contents = new Map<string, Uint8Array>();
  const bytesOf = (path: string) => {
    const bytes = contents.get(path);
    if (!bytes) throw new UserError(`cannot read ${path}: no such file or folder`);
    return bytes;
  };
  return {
    contents,
    failsAfter: Number.POSITIVE_INFINITY,
    error: new UserError('cannot write: no space left on the device'),
    readBytes: async (path) => bytesOf(path),
    readText: async (path) => new TextDecoder().decode(bytesOf(path)),
    exists: async (path) => contents.has(path),
    list: async (directory) =>
      [...contents.keys()].flatMap((path) =>
        path.startsWith(`${directory}/`) ? [path.slice(directory.length + 1)] : [],
      ),
    async writeAtomic(path, content) {
      if (this.failsAfter-- <= 0) throw this.error;
      const parts = typeof content === 'string' ? [new TextEncoder().encode(content)] : [content].flat();
      contents.set(path, Uint8Array.from(Buffer.concat(parts)));
    },
    remove: async (path) => void contents.delete(path),
    makeDirectory: async () => {},
  };
}
