import { expect, test } from 'vitest';
import { LaunchTimer } from '../../src/gpu/launch-timer.ts';
import { measurePeaks } from '../../src/gpu/peaks.ts';
import { testOnFastAdapter } from '../support/adapter.ts';
import { openTestDevice } from '../support/device.ts';
import { useDevice } from '../support/use-device.ts';

const device = useDevice();

test('the peaks are measured once a device, and leave nothing behind', async () => {
  const first = measurePeaks(device());
  expect(measurePeaks(device())).toBe(first);
  const { flops, halfFlops, bandwidth } = await first;
  // Far below what any adapter does and far above what any will: a fault of units or of a loop that is removed.
  expect(flops).toBeGreaterThan(1e8);
  expect(flops).toBeLessThan(1e15);
  expect(bandwidth).toBeGreaterThan(1e8);
  expect(bandwidth).toBeLessThan(1e14);
  if (device().gpu.features.has('shader-f16')) expect(halfFlops).toBeGreaterThan(1e8);
  else expect(halfFlops).toBeNull();
  expect(device().live).toEqual({ buffers: 0, bytes: 0 });
});

testOnFastAdapter('those of matrix units are measured where a device may use them', async () => {
  const other = await openTestDevice({ kind: 'hardware', precision: 'f16' });
  const { matrixFlops } = await measurePeaks(other);
  if (other.traits.matrices) expect(matrixFlops).toBeGreaterThan(1e8);
  else expect(matrixFlops).toBeUndefined();
  other.destroy();
});

test('the timer tells what it measures with', () => {
  const clock = device().gpu.features.has('timestamp-query') ? 'timestamp queries' : 'wall clock';
  expect(new LaunchTimer(device()).clock).toBe(clock);
});
