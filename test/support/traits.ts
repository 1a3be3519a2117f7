import type { AdapterTraits } from '../../src/base/traits.ts';

/** A software adapter with WebGPU's usual limits, for what is planned without a device. */
export const SOFTWARE_TRAITS: AdapterTraits = {
  kind: 'software',
  maxBindingBytes: 2 ** 27,
  maxBufferBytes: 2 ** 30,
  workgroupBytes: 16384,
  workgroupThreads: 256,
  expectedFlops: 1e10,
};
