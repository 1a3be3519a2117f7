import { expect, test } from 'vitest';
import type { Progress } from '../../web/src/engine-api.ts';
import { Trainer } from '../../web/src/worker/trainer.ts';
import { useDevice } from '../support/use-device.ts';

// That nothing stays on it is checked at its end.
const device = useDevice();

const OPTIONS = { studies: 4, batchSize: 2, learningRate: 1e-3, seed: 0, fromWeights: false };

function create(model: string, imageSize: number, onProgress: (progress: Progress) => void, signal: AbortSignal) {
  const events = { onProgress, onStep: () => undefined, onEpoch: () => expect.unreachable() };
  return Trainer.create(device(), { ...OPTIONS, model, imageSize }, undefined, events, signal);
}

test('a stop while the kernels are compiled is heard', async () => {
  const running = new AbortController();
  const stop = ({ what }: Progress) => {
    if (what === 'compiling the kernels') setTimeout(() => running.abort(new Error('stopped')));
  };
  await expect(create('mobilenet_v2', 32, stop, running.signal)).rejects.toThrow('stopped');
});

test('a network that cannot be trained at a size leaves nothing on the device', async () => {
  const { signal } = new AbortController();
  await expect(create('mobilenet_v2', 16, () => undefined, signal)).rejects.toThrow('mobilenet_v2 cannot');
});
