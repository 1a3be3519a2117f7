import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import { UserError } from '../base/errors.ts';
import { cacheFolder } from './node-cache-folder.ts';

const LOADER = 'libvulkan.so.1';
const ICD = 'vk_swiftshader_icd.json';
const FILES = [LOADER, ICD, 'libvk_swiftshader.so'];
// The Vulkan loader reads the second only where the first is not set.
const ICD_VARIABLES = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'] as const;

/**
 * Loads a shared library that is not a Node module and keeps it in the process; returns why it could not, or ''.
 *
 * Node says "did not self-register" of every such library and closes it again, so RTLD_NODELETE (not in os.constants) keeps it.
 */
function loadLibrary(path: string): string {
  const RTLD_NODELETE = 0x1000;
  try {
    process.dlopen({ exports: {} }, path, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch (error) {
    const message = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return message.includes('did not self-register') ? '' : message;
  }
  return '';
}

let hasVulkan: boolean | undefined;

/** False on Linux without Vulkan's loader (Dawn would warn on stderr); elsewhere Dawn uses the system's own API. */
export function systemHasVulkan(): boolean {
  hasVulkan ??= process.platform !== 'linux' || loadLibrary(LOADER) === '';
  return hasVulkan;
}

/**
 * Makes the SwiftShader of `@sparticuz/chromium` the only Vulkan driver that the next instance of Dawn sees.
 * Returns a function that gives the system's drivers back. Throws a UserError where it cannot run.
 */
export async function openSwiftShader(): Promise<() => void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new UserError(
      `--adapter embedded: the embedded SwiftShader runs on linux-x64 only, this is ${process.platform}-${process.arch}; install a GPU driver and use --adapter auto`,
    );
  }
  const folder = await unpack();
  if (!systemHasVulkan()) {
    // Dawn opens `libvulkan.so.1` by its bare name: the dynamic linker answers with the library of this name that is loaded.
    const fault = loadLibrary(join(folder, LOADER));
    if (fault)
      throw new UserError(
        `--adapter embedded: cannot load ${join(folder, LOADER)}: ${fault}; delete ${folder} and run again`,
      );
  }
  const before = ICD_VARIABLES.map((name) => [name, process.env[name]] as const);
  for (const name of ICD_VARIABLES) process.env[name] = join(folder, ICD);
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}

/** The folder that holds the unpacked driver: made once, whole or not at all, whoever else makes it at the same time. */
async function unpack(): Promise<string> {
  const root = join(dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium')), '../..');
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const faults: string[] = [];
  for (const cache of [cacheFolder(), join(tmpdir(), 'murad')]) {
    const folder = join(cache, `swiftshader-${version}`);
    try {
      if (!(await isWhole(folder))) await unpackInto(folder, join(root, 'bin/swiftshader.tar.br'));
      return folder;
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new UserError(
    `--adapter embedded: cannot unpack SwiftShader: ${faults.join('; ')}; delete that folder, or set XDG_CACHE_HOME to one that can be written`,
  );
}

/** True where every file is there and nobody but this user or root can have put it there: it is code that will run. */
async function isWhole(folder: string): Promise<boolean> {
  const owners = [0, process.getuid?.()];
  const present = await Promise.allSettled(
    [folder, ...FILES.map((name) => join(folder, name))].map((path) => stat(path)),
  );
  return present.every((result) => result.status === 'fulfilled' && owners.includes(result.value.uid));
}

async function unpackInto(folder: string, archive: string): Promise<void> {
  const tar = await promisify(brotliDecompress)(await readFile(archive));
  await mkdir(dirname(folder), { recursive: true });
  const aside = await mkdtemp(`${folder}-`);
  try {
    for (const [name, bytes] of tarFiles(tar)) {
      if (FILES.includes(name)) await writeFile(join(aside, name), bytes, { mode: 0o755 });
    }
    await rename(aside, folder);
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    // Another process was faster: a folder that is not empty cannot be replaced.
    if (!(await isWhole(folder))) throw error;
  }
}

/** The regular files of a ustar archive: 512-byte headers (name at 0, octal size at 124, type at 156), bodies padded to 512. */
function* tarFiles(tar: Uint8Array): Generator<[name: string, bytes: Uint8Array]> {
  const text = (from: number, to: number) => new TextDecoder().decode(tar.subarray(from, to)).replace(/\0.*$/s, '');
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, at + 136), 8);
    const type = text(at + 156, at + 157);
    if (type === '0' || type === '') yield [text(at, at + 100), tar.subarray(at + 512, at + 512 + size)];
    at += 512 + Math.ceil(size / 512) * 512;
  }
}
