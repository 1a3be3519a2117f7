import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { developmentPolicy } from './plugins/development-policy.ts';
import { precache } from './plugins/precache.ts';
import { samples } from './plugins/samples.ts';

const root = fileURLToPath(new URL('.', import.meta.url));

export default defineConfig({
  root,
  // Relative addresses: the page works below any path of any host.
  base: './',
  plugins: [samples(), precache(), developmentPolicy()],
  server: { fs: { allow: ['..'] } },
  worker: { format: 'es' },
  build: {
    target: 'es2023',
    // Weights and pictures stay files of their own.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { index: `${root}index.html`, 'service-worker': `${root}service-worker.ts` },
      output: {
        entryFileNames: ({ name }) => (name === 'service-worker' ? '[name].js' : 'assets/[name]-[hash].js'),
      },
    },
  },
});
