import { expect, test } from 'vitest';
import { run } from '../../src/cli/doctor.ts';
import { testAdapter } from '../support/adapter.ts';

const context = {
  note: () => {},
  progress: () => ({ update: () => {}, end: () => {} }),
  isGiven: () => false,
  interruption: () => new AbortController().signal,
};

test('doctor shows the adapter of this run with its limits and features', async () => {
  const found = await testAdapter();
  const adapter = process.env.MURAD_TEST_ADAPTER ?? 'auto';
  const { json, text } = await run({ adapter, check: true, json: false, verbose: false }, context);
  expect(json).toMatchObject({
    adapter: { kind: found.kind, name: found.name, driver: found.driver },
    kernels: { faults: [] },
    toggles: { enabled: expect.arrayContaining(['allow_unsafe_apis']) },
    features: [...found.adapter.features].sort(),
    limits: { maxStorageBufferBindingSize: found.adapter.limits.maxStorageBufferBindingSize },
  });
  expect(JSON.parse(JSON.stringify(json))).toEqual(json);
  expect(text).toContain(`${found.name} (${found.kind})`);
  expect(text).toMatch(/^ {2}maxBufferSize +\d+/m);
});
