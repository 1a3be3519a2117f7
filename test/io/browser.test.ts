import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { browserFiles } from '../../src/io/browser.ts';

/** Bytes that the page's storage has left. */
const QUOTA = 4;

const missing = () => new DOMException('', 'NotFoundError');

/** As much of the origin private file system as one folder needs. */
function storage(files: Map<string, Uint8Array>) {
  const handle = (name: string) => ({
    getFile: async () => new Blob([files.get(name) as Uint8Array<ArrayBuffer>]),
    createWritable: async () => {
      const written: number[] = [];
      return {
        write: async (part: Uint8Array) => {
          if (written.length + part.length > QUOTA) throw new DOMException('', 'QuotaExceededError');
          written.push(...part);
        },
        close: async () => void files.set(name, new Uint8Array(written)),
        abort: async () => undefined,
      };
    },
  });
  const folder = {
    getFileHandle: async (name: string, { create = false } = {}) => {
      if (!files.has(name) && !create) throw missing();
      if (!files.has(name)) files.set(name, new Uint8Array());
      return handle(name);
    },
    removeEntry: async (name: string) => {
      if (!files.delete(name)) throw missing();
    },
  };
  return { storage: { getDirectory: async () => folder } };
}

const files = new Map<string, Uint8Array>();

beforeEach(() => {
  files.clear();
  vi.stubGlobal('navigator', storage(files));
});

afterEach(() => {
  vi.unstubAllGlobals();
});

test('a file that the storage has no room for is not there, and an older one stays', async () => {
  const refusal = 'cannot write new: the browser grants this page no more storage';
  await expect(browserFiles.writeAtomic('new', 'too long')).rejects.toThrow(refusal);
  expect(await browserFiles.exists('new')).toBe(false);
  await browserFiles.writeAtomic('old', 'fits');
  await expect(
    browserFiles.writeAtomic(
      'old',
      ['fi', 'ts', '!'].map((part) => new TextEncoder().encode(part)),
    ),
  ).rejects.toThrow('cannot write old');
  expect(await browserFiles.readText('old')).toBe('fits');
});

test('removes a file; one that is not there is no error', async () => {
  await browserFiles.writeAtomic('one', 'fits');
  await browserFiles.remove('one');
  expect([...files.keys()]).toEqual([]);
  await browserFiles.remove('one');
});
