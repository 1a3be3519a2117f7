import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** The parsed JSON of a file of test/golden, packed or not. */
export function readGolden<T>(name: string): T {
  const bytes = readFileSync(new URL(`../golden/${name}`, import.meta.url));
  return JSON.parse((name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8'));
}
