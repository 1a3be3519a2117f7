import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../io/temporary.ts';

const example = fileURLToPath(new URL('../../examples/own-network.js', import.meta.url));

test('the example of the public API learns, reads and saves', async () => {
  const cwd = temporaryFolder();
  const { stdout } = await promisify(execFile)(process.execPath, [example], { cwd });
  const [, loss, right] = /^loss ([\d.e-]+)\nright (\d) of 8\n$/.exec(stdout) ?? [];
  expect(Number(loss)).toBeLessThan(0.2);
  expect(Number(right)).toBe(8);
  expect(existsSync(`${cwd}/tiny.safetensors`)).toBe(true);
});
