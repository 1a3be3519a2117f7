import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
};

/** The built page on a host of its own, below a path. */
export interface Site {
  readonly address: string;
  readonly close: () => Promise<void>;
}

/** Builds the page into `folder`, as `npm run demo:build` does. */
export async function buildSite(folder: string): Promise<void> {
  const configFile = fileURLToPath(new URL('../../web/vite.config.ts', import.meta.url));
  const before = process.env.NODE_ENV;
  // Vitest's own value would make it a build for development.
  process.env.NODE_ENV = 'production';
  try {
    await build({ configFile, logLevel: 'error', build: { outDir: folder, emptyOutDir: true } });
  } finally {
    process.env.NODE_ENV = before;
  }
}

/** Serves the files of a folder below `/some/path/`, as any static host does. */
export async function serveSite(folder: string): Promise<Site> {
  const path = '/some/path/';
  const server: Server = createServer(async ({ url = '' }, response) => {
    const { pathname } = new URL(url, 'http://localhost');
    const file = normalize(pathname.slice(path.length) || 'index.html');
    try {
      if (!pathname.startsWith(path) || file.startsWith('..')) throw new Error('outside');
      const bytes = await readFile(join(folder, file));
      response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream');
      response.end(bytes);
    } catch {
      response.statusCode = 404;
      response.end('not found');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://localhost:${port}${path}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
