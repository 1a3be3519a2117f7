import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { cacheFolder } from '../../src/gpu/node-cache-folder.ts';

/** Debian's, where it is installed. */
const SYSTEM = '/usr/bin/chromium';

/** WebGPU on SwiftShader, without a display or a GPU. */
const ARGUMENTS = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--no-sandbox'];

/** What unpacking needs changed, and what the package then changes for a cloud's machine. */
const CHANGED = ['TMPDIR', 'AWS_LAMBDA_JS_RUNTIME', 'LD_LIBRARY_PATH', 'FONTCONFIG_PATH'] as const;

/**
 * Unpacks the Chromium of `@sparticuz/chromium` once, with the libraries that a bare machine lacks. The package unpacks
 * into the folder for temporary files, and its libraries only where it believes to be at a cloud's.
 */
async function unpack(): Promise<string> {
  const require = createRequire(import.meta.url);
  const { version } = require(join(dirname(require.resolve('@sparticuz/chromium')), '../../package.json'));
  const folder = cacheFolder(`chromium-${version}`);
  if (existsSync(join(folder, 'chromium'))) return folder;
  await mkdir(dirname(folder), { recursive: true });
  const aside = mkdtempSync(`${folder}-`);
  const before = CHANGED.map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, { TMPDIR: aside, AWS_LAMBDA_JS_RUNTIME: 'nodejs20.x' });
  try {
    await (await import('@sparticuz/chromium')).default.executablePath();
    renameSync(aside, folder);
  } finally {
    rmSync(aside, { recursive: true, force: true });
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
  return folder;
}

/** Starts a Chromium whose WebGPU runs on SwiftShader; `withGpu` false: one without WebGPU. */
export async function launchChromium({ withGpu = true } = {}): Promise<Browser> {
  const args = withGpu ? ARGUMENTS : ['--no-sandbox', '--disable-features=WebGPU,WebGPUService'];
  if (existsSync(SYSTEM)) return chromium.launch({ executablePath: SYSTEM, args });
  const folder = await unpack();
  const libraries = [join(folder, 'al2023/lib'), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  const env = { ...process.env, LD_LIBRARY_PATH: libraries, FONTCONFIG_PATH: join(folder, 'fonts') } as Record<
    string,
    string
  >;
  return chromium.launch({ executablePath: join(folder, 'chromium'), args, env });
}
