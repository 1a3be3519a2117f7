import { expect, test } from 'vitest';
import { ReadbackRing } from '../../src/gpu/readback.ts';
import { useDevice } from '../support/use-device.ts';

const device = useDevice();
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test('a value that is asked for late does not make later ones wait', async () => {
  const source = device().createBuffer('source', 16, GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST);
  const ring = new ReadbackRing(device(), 16);
  const late = await ring.enqueue(source, 0);
  await pause(2000);
  await late.value;
  const asked = performance.now();
  await (await ring.enqueue(source, 0)).value;
  // Half of the pause was taken for the time of a run, and most of that was slept: 850 ms.
  expect(performance.now() - asked).toBeLessThan(500);
  await ring.destroy();
  device().destroyBuffer(source);
});
