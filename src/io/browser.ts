import { UserError } from '../base/errors.ts';
import type { FileContent, FileSystem } from '../base/files.ts';

const REASONS: Record<string, string> = {
  NotFoundError: 'no such file or folder',
  QuotaExceededError: 'the browser grants this page no more storage',
  SecurityError: 'this browser, or its private mode, gives pages no storage',
  TypeMismatchError: 'it is a file where a folder was expected, or a folder where a file was',
  NoModificationAllowedError: 'another tab of this page is writing it',
};

async function named<T>(action: string, path: string, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    const reason = error instanceof DOMException ? (REASONS[error.name] ?? error.message) : undefined;
    throw reason === undefined ? error : new UserError(`cannot ${action} ${path}: ${reason}`, { cause: error });
  }
}

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '');

/** The handle of a folder of the page's own storage. */
async function folderAt(parts: readonly string[], create = false): Promise<FileSystemDirectoryHandle> {
  let folder = await navigator.storage.getDirectory();
  for (const part of parts) folder = await folder.getDirectoryHandle(part, { create });
  return folder;
}

async function fileAt(path: string, create = false): Promise<FileSystemFileHandle> {
  const parts = partsOf(path);
  const name = parts.pop() ?? '';
  return (await folderAt(parts)).getFileHandle(name, { create });
}

const isMissing = (error: unknown): boolean => error instanceof DOMException && error.name === 'NotFoundError';

async function exists(path: string): Promise<boolean> {
  const parts = partsOf(path);
  const name = parts.pop();
  if (name === undefined) return true;
  try {
    const folder = await folderAt(parts);
    return await folder.getFileHandle(name).then(
      () => true,
      (error) => (isMissing(error) ? false : error.name === 'TypeMismatchError'),
    );
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function list(directory: string): Promise<string[]> {
  const names: string[] = [];
  for await (const [name, handle] of (await folderAt(partsOf(directory))).entries()) {
    names.push(handle.kind === 'directory' ? `${name}/` : name);
  }
  return names.sort();
}

/** What is written goes to a file aside, which close() puts in the old one's place. */
async function fill(file: FileSystemFileHandle, content: FileContent): Promise<void> {
  const stream = await file.createWritable();
  try {
    const parts = typeof content === 'string' ? [new TextEncoder().encode(content)] : [content].flat();
    for (const part of parts) await stream.write(part as Uint8Array<ArrayBuffer>);
    await stream.close();
  } catch (error) {
    await stream.abort().catch(() => undefined);
    throw error;
  }
}

/** The handle of a file is had by making it, empty: where it is new and cannot be written, it goes again. */
async function writeAtomic(path: string, content: FileContent): Promise<void> {
  const isNew = !(await exists(path));
  const file = await fileAt(path, true);
  try {
    await fill(file, content);
  } catch (error) {
    if (isNew) await remove(path).catch(() => undefined);
    throw error;
  }
}

async function remove(path: string): Promise<void> {
  const parts = partsOf(path);
  const name = parts.pop() ?? '';
  try {
    await (await folderAt(parts)).removeEntry(name);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** The files that the browser keeps for this page (its origin private file system). */
export const browserFiles: FileSystem = {
  readBytes: (path) =>
    named('read', path, async () => new Uint8Array(await (await (await fileAt(path)).getFile()).arrayBuffer())),
  readText: (path) => named('read', path, async () => (await (await fileAt(path)).getFile()).text()),
  exists: (path) => named('look at', path, () => exists(path)),
  list: (directory) => named('list', directory, () => list(directory)),
  writeAtomic: (path, content) => named('write', path, () => writeAtomic(path, content)),
  makeDirectory: (path) => named('make the folder', path, async () => void (await folderAt(partsOf(path), true))),
  remove: (path) => named('remove', path, () => remove(path)),
};
