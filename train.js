#!/usr/bin/env node
// `node train.js FLAGS` is `murad train FLAGS`.
import { existsSync } from 'node:fs';

const main = new URL('./dist/cli/main.js', import.meta.url);
if (existsSync(main)) {
  process.argv.splice(2, 0, 'train');
  await import(main);
} else {
  process.stderr.write('murad train: the folder dist is missing: run npm ci first\n');
  process.exit(1);
}
