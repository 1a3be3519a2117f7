import { readFileSync } from 'node:fs';

/** The parsed JSON of a file of test/golden. */
export function readGolden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../golden/${name}`, import.meta.url), 'utf8'));
}
