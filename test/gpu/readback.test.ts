import { afterEach, expect, test, vi } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import { ReadbackRing } from '../../src/gpu/readback.ts';
import { useDevice } from '../support/use-device.ts';

const device = useDevice();
afterEach(() => {
  vi.useRealTimers();
});

/** A GPU whose runs take so many milliseconds, one after the other; `idle` is how long it had nothing to do. */
function fakeDevice(times: readonly number[]) {
  let [free, idle, runs] = [0, 0, 0];
  const submit = () => {
    const now = performance.now();
    if (runs > 0) idle += Math.max(0, now - free);
    free = Math.max(free, now) + (times[runs++] as number);
  };
  const createBuffer = () => ({
    mapAsync: async () => {
      // The run whose value was copied into this buffer; the others of the ring are in flight.
      const end = ends.shift() as number;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, end - performance.now())));
    },
    getMappedRange: () => new ArrayBuffer(4),
    unmap: () => {},
  });
  const ends: number[] = [];
  const queue = {
    submit: () => {
      submit();
      ends.push(free);
    },
  };
  const encoder = { copyBufferToBuffer: () => {}, finish: () => {} };
  const gpu = { createCommandEncoder: () => encoder, queue };
  const fake = { createBuffer, gpu, check: () => {}, destroyBuffer: () => {} } as unknown as Device;
  return { device: fake, idle: () => idle };
}

test.each([
  ['the first run', [1000, ...new Array<number>(40).fill(30)]],
  ['a run among others', [...new Array<number>(20).fill(30), 1000, ...new Array<number>(40).fill(30)]],
])('%s that is slow leaves a GPU that is fed ahead without a pause', async (_, times) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
  const { device: fake, idle } = fakeDevice(times);
  const ring = new ReadbackRing(fake, 4);
  const source = {} as GPUBuffer;
  const feed = async () => {
    const pending: { value: Promise<ArrayBuffer> }[] = [];
    for (const _ of times) {
      pending.push(await ring.enqueue(source, 0));
      if (pending.length > 2) await pending.shift()?.value;
    }
    while (pending.length > 0) await pending.shift()?.value;
  };
  const fed = feed();
  await vi.runAllTimersAsync();
  await fed;
  expect(idle()).toBeLessThan(30);
});
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
