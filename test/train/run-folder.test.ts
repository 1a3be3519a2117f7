import { expect, test } from 'vitest';
import { RunFolder } from '../../src/train/run-folder.ts';
import { memoryFiles } from '../data/memory-files.ts';

test.each([
  ['an older config, whose batches ran whole', { batch_size: 16 }, 16],
  ['a config with micro-batches', { batch_size: 16, micro_batch: 4 }, 4],
])('%s', async (_, sizes, microBatch) => {
  const config = JSON.stringify({ model: 'densenet121', image_size: 320, ...sizes });
  const folder = new RunFolder(memoryFiles({ 'runs/one/config.json': config }), 'runs/one');
  expect(await folder.readConfig()).toMatchObject({ batch_size: 16, micro_batch: microBatch });
});
