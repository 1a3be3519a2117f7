import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { Plugin, ResolvedConfig } from 'vite';

/** What service-worker.ts declares and the build replaces. */
const DECLARED = '__PRECACHE__';
const WORKER = 'service-worker.js';

/** Tells the service worker every file of the build and a version that changes with their content. */
export function precache(): Plugin {
  let config: ResolvedConfig;
  return {
    name: 'murad:precache',
    apply: 'build',
    enforce: 'post',
    configResolved(resolved) {
      config = resolved;
    },
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const worker = bundle[WORKER];
        if (worker?.type !== 'chunk') return;
        const hash = createHash('sha256');
        const files = ['./'];
        for (const [name, output] of Object.entries(bundle)) {
          hash.update(output.type === 'chunk' ? output.code : output.source);
          if (name !== WORKER && name !== 'index.html') files.push(name);
        }
        for (const name of readdirSync(config.publicDir)) {
          files.push(name);
          hash.update(readFileSync(`${config.publicDir}/${name}`));
        }
        const list = { version: hash.digest('hex').slice(0, 12), files };
        worker.code = worker.code.replaceAll(DECLARED, JSON.stringify(list));
      },
    },
  };
}
