import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { globSync } from 'tinyglobby';
import { expect, test } from 'vitest';

// The scripts import what the build makes; no type is checked there, and few of them run in the suite.
const scripts = globSync(['bench/**/*.mjs', 'examples/*.js', 'scripts/*.mjs'], { ignore: '**/node_modules/**' });

test.each(scripts)('%s imports what there is', async (script) => {
  const text = readFileSync(script, 'utf8');
  for (const [, names = '', from = ''] of text.matchAll(/import \{([^}]*)\} from '(\.[^']*\/dist\/[^']*)\.js'/g)) {
    const source = relative('dist', join(dirname(script), from));
    const module = await import(/* @vite-ignore */ resolve('src', `${source}.ts`));
    for (const name of names.split(',').flatMap((one) => one.trim().split(' ').slice(0, 1))) {
      if (name) expect(Object.keys(module), `${name} of src/${source}.ts`).toContain(name);
    }
  }
});
