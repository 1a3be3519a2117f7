import { randomBytes } from 'node:crypto';
import { access, constants, type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UserError } from '../base/errors.ts';
import type { FileContent, FileSystem } from '../base/files.ts';

const REASONS: Record<string, string> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'disk quota exceeded',
  EROFS: 'the file system is read-only',
  EISDIR: 'it is a folder, expected a file',
  ENOTDIR: 'a part of the path is a file, expected a folder',
  EEXIST: 'it exists already',
  ENOTEMPTY: 'the folder is not empty',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'too many links, or a loop of them',
};

/** The operating system's error as a UserError of one line, `cannot ACTION PATH: why`; other errors stay as they are. */
export function fileError(error: unknown, action: string, path: string): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!/^E[A-Z0-9]+$/.test(code)) return error;
  return new UserError(`cannot ${action} ${path}: ${REASONS[code] ?? code}`, { cause: error });
}

async function named<T>(action: string, path: string, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    throw fileError(error, action, path);
  }
}

/** Makes a folder that can be written to; returns the first of the folders that this took, undefined where it took none. */
export async function makeWritableFolder(path: string): Promise<string | undefined> {
  return named('write to the folder', path, async () => {
    const first = await mkdir(path, { recursive: true });
    await access(path, constants.W_OK);
    return first;
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw fileError(error, 'look at', path);
  }
}

async function list(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries.map(async (entry) => {
    const isFolder = entry.isSymbolicLink()
      ? await stat(`${directory}/${entry.name}`).then(
          (target) => target.isDirectory(),
          () => false,
        )
      : entry.isDirectory();
    return isFolder ? `${entry.name}/` : entry.name;
  });
  return (await Promise.all(names)).sort();
}

async function writeAll(file: FileHandle, part: Uint8Array): Promise<void> {
  for (let done = 0; done < part.length; ) done += (await file.write(part, done)).bytesWritten;
}

/** Makes a rename in `directory` survive a power cut. Windows has no handle on a folder to flush. */
async function flushDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeAtomic(path: string, content: FileContent): Promise<void> {
  const parts = typeof content === 'string' ? [new TextEncoder().encode(content)] : [content].flat();
  // What a process that was killed left behind may have any name but this one.
  const aside = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(aside, 'wx');
    try {
      for (const part of parts) await writeAll(file, part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
  await flushDirectory(dirname(path));
}

async function readBytes(path: string): Promise<Uint8Array> {
  const { buffer, byteOffset, byteLength } = await readFile(path);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The files of this machine. */
export const nodeFiles: FileSystem = {
  readBytes: (path) => named('read', path, () => readBytes(path)),
  readText: (path) => named('read', path, async () => new TextDecoder().decode(await readFile(path))),
  exists,
  list: (directory) => named('list', directory, () => list(directory)),
  writeAtomic: (path, content) => named('write', path, () => writeAtomic(path, content)),
  remove: (path) => named('remove', path, () => rm(path, { force: true })),
  makeDirectory: (path) => named('make the folder', path, async () => void (await mkdir(path, { recursive: true }))),
};
