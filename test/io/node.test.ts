import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/errors.ts';
import { fileError, nodeFiles } from '../../src/io/node.ts';
import { temporaryFolder } from './temporary.ts';

const folder = temporaryFolder();

async function message(task: Promise<unknown>): Promise<string> {
  const error = await task.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UserError);
  return (error as Error).message.replaceAll(folder, 'DIR');
}

describe('nodeFiles', () => {
  it('reads bytes as plain ones, and text without a byte order mark', async () => {
    writeFileSync(`${folder}/text`, '\uFEFFgrün');
    expect(await nodeFiles.readText(`${folder}/text`)).toBe('grün');
    const bytes = await nodeFiles.readBytes(`${folder}/text`);
    expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype);
    expect(Array.from(bytes)).toEqual([0xef, 0xbb, 0xbf, 0x67, 0x72, 0xc3, 0xbc, 0x6e]);
  });

  it('says what exists', async () => {
    writeFileSync(`${folder}/there`, '');
    expect(await nodeFiles.exists(`${folder}/there`)).toBe(true);
    expect(await nodeFiles.exists(folder)).toBe(true);
    expect(await nodeFiles.exists(`${folder}/missing`)).toBe(false);
    expect(await nodeFiles.exists(`${folder}/there/below`)).toBe(false);
  });

  it('lists names in order, folders and links to folders with a slash', async () => {
    await nodeFiles.makeDirectory(`${folder}/list/b/deeper`);
    await nodeFiles.makeDirectory(`${folder}/list/b`);
    writeFileSync(`${folder}/list/c`, '');
    symlinkSync(`${folder}/list/b`, `${folder}/list/a`);
    symlinkSync(`${folder}/nowhere`, `${folder}/list/d`);
    expect(await nodeFiles.list(`${folder}/list`)).toEqual(['a/', 'b/', 'c', 'd']);
  });

  it('tells in one line what failed', async () => {
    writeFileSync(`${folder}/file`, '');
    expect(await message(nodeFiles.readText(`${folder}/none`))).toMatchInlineSnapshot(
      `"cannot read DIR/none: no such file or folder"`,
    );
    expect(await message(nodeFiles.readBytes(folder))).toMatchInlineSnapshot(
      `"cannot read DIR: it is a folder, expected a file"`,
    );
    expect(await message(nodeFiles.list(`${folder}/none`))).toMatchInlineSnapshot(
      `"cannot list DIR/none: no such file or folder"`,
    );
    expect(await message(nodeFiles.writeAtomic(`${folder}/none/x`, ''))).toMatchInlineSnapshot(
      `"cannot write DIR/none/x: no such file or folder"`,
    );
    expect(await message(nodeFiles.makeDirectory(`${folder}/file/x`))).toMatchInlineSnapshot(
      `"cannot make the folder DIR/file/x: a part of the path is a file, expected a folder"`,
    );
  });
});

describe('writeAtomic', () => {
  it.each([
    ['text', 'grün', 'grün'],
    ['bytes', Uint8Array.of(65, 66), 'AB'],
    ['parts', [Uint8Array.of(65), new Uint8Array(), Uint8Array.of(66, 67)], 'ABC'],
    ['nothing', [], ''],
  ])('writes %s over what was there, leaving nothing aside', async (_, content, expected) => {
    mkdirSync(`${folder}/out`, { recursive: true });
    writeFileSync(`${folder}/out/file`, 'old and longer');
    await nodeFiles.writeAtomic(`${folder}/out/file`, content);
    expect(readFileSync(`${folder}/out/file`, 'utf8')).toBe(expected);
    expect(readdirSync(`${folder}/out`)).toEqual(['file']);
  });

  it('leaves nothing aside where it fails', async () => {
    mkdirSync(`${folder}/taken/target/below`, { recursive: true });
    expect(await message(nodeFiles.writeAtomic(`${folder}/taken/target`, 'x'))).toMatchInlineSnapshot(
      `"cannot write DIR/taken/target: it is a folder, expected a file"`,
    );
    expect(readdirSync(`${folder}/taken`)).toEqual(['target']);
  });

  it('bears many writers of one file: the content is one of theirs, whole', async () => {
    mkdirSync(`${folder}/race`);
    const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(10000));
    await Promise.all(texts.map((text) => nodeFiles.writeAtomic(`${folder}/race/file`, text)));
    expect(texts).toContain(readFileSync(`${folder}/race/file`, 'utf8'));
    expect(readdirSync(`${folder}/race`)).toEqual(['file']);
  });
});

describe('fileError', () => {
  it.each([
    ['ENOSPC', 'cannot write x: no space left on the device'],
    ['EACCES', 'cannot write x: permission denied'],
    ['EIO', 'cannot write x: EIO'],
  ])('%s', (code, expected) => {
    const error = fileError(Object.assign(new Error('system'), { code }), 'write', 'x');
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).toBe(expected);
  });

  it('leaves other errors as they are', () => {
    for (const error of [
      new Error('a bug'),
      new UserError('clear'),
      Object.assign(new Error(), { code: 'ERR_X' }),
      7,
    ]) {
      expect(fileError(error, 'write', 'x')).toBe(error);
    }
  });
});
