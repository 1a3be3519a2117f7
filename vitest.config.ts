import { defineConfig } from 'vitest/config';
import { PYTORCH_TAG, SKLEARN_TAG } from './test/support/pytorch.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['./test/support/global-setup.ts'],
    reporters: ['default', './test/support/totals-reporter.ts'],
    tags: [
      { name: PYTORCH_TAG, description: 'compares with PyTorch' },
      { name: SKLEARN_TAG, description: 'compares with scikit-learn' },
    ],
    // One file at a time, each in a process of its own: one process works on the GPU, and none hands its memory on.
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
