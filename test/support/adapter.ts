import { describe, inject, test } from 'vitest';
import type { NodeAdapter } from '../../src/gpu/node.ts';
import { openTestAdapter } from './global-setup.ts';
import { PYTORCH_TAG } from './pytorch.ts';

/** The kind of adapter that this run's tests use; `none` where none could be opened. */
export const adapterKind = inject('adapter').kind;

/** `describe` for the full tier: runs on a GPU or a fast software driver, left out on the embedded adapter. */
export const describeOnFastAdapter = describe.skipIf(adapterKind === 'embedded');

/** `test` for the full tier: runs on a GPU or a fast software driver, left out on the embedded adapter. */
export const testOnFastAdapter = test.skipIf(adapterKind === 'embedded');

/** `describe` for maps in f16: left out where the adapter cannot store it, as the embedded one. */
export const describeWithHalves = describe.skipIf(adapterKind === 'embedded' || !inject('adapter').halves);

/** `describe` for tests of the full tier that start PyTorch: left out where there is none. */
export const describeWithPyTorch = (name: string, body: () => void): void =>
  void describe.skipIf(adapterKind === 'embedded' || !inject('pytorch'))(name, { tags: [PYTORCH_TAG] }, body);

let opened: Promise<NodeAdapter> | undefined;

/** The adapter of this process, opened once. Fails where there is none: a GPU test without a GPU is no pass. */
export function testAdapter(): Promise<NodeAdapter> {
  opened ??= openTestAdapter();
  return opened;
}
