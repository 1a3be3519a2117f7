import { expect, test, vi } from 'vitest';
import { run } from '../../src/cli/doctor.ts';
import * as checks from '../../src/graph/check/check-case.ts';
import { testAdapter } from '../support/adapter.ts';

vi.mock('../../src/graph/check/check-case.ts', { spy: true });

const context = {
  note: () => {},
  progress: () => ({ update: () => {}, end: () => {} }),
  isGiven: () => false,
  interruption: () => new AbortController().signal,
};

test('doctor shows the adapter of this run with its limits and features', async () => {
  const found = await testAdapter();
  const adapter = process.env.MURAD_TEST_ADAPTER ?? 'auto';
  const { json, text, failed } = await run({ adapter, check: true, json: false, verbose: false }, context);
  expect(json).toMatchObject({
    adapter: { kind: found.kind, name: found.name, driver: found.driver },
    kernels: { faults: [] },
    toggles: { enabled: expect.arrayContaining(['allow_unsafe_apis']) },
    features: [...found.adapter.features].sort(),
    limits: { maxStorageBufferBindingSize: found.adapter.limits.maxStorageBufferBindingSize },
  });
  expect(failed).toBe(false);
  expect(JSON.parse(JSON.stringify(json))).toEqual(json);
  expect(text).toContain(`${found.name} (${found.kind})`);
  expect(text).toMatch(/^ {2}maxBufferSize +\d+/m);
});

test('doctor tells of kernels that are wrong or do not run, beside the adapter', async () => {
  const found = await testAdapter();
  const check = vi.mocked(checks.checkCase).mockResolvedValue([]);
  check.mockResolvedValueOnce(['add is 3, expected 2']).mockRejectedValueOnce(new Error('no pipeline'));
  const adapter = process.env.MURAD_TEST_ADAPTER ?? 'auto';
  const { json, text, failed } = await run({ adapter, check: true, json: false, verbose: false }, context);
  expect(failed).toBe(true);
  expect(json).toMatchObject({
    adapter: { name: found.name },
    kernels: { faults: ['add is 3, expected 2', expect.stringMatching(/^\w+ ".+" does not run: no pipeline$/)] },
  });
  expect(text).toContain(`${found.name} (${found.kind})`);
  expect(text).toMatch(/WRONG on this adapter, please report it: 2 faults\n {2}add is 3, expected 2\n/);
});
