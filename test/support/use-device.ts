import { afterAll, beforeAll, expect } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import { openTestDevice, type TestDeviceOptions } from './device.ts';

/**
 * A device for the tests of a file or of a `describe`, opened before the first. After the last it must have reported no error and hold no
 * buffer: a test destroys what it makes.
 */
export function useDevice(options: TestDeviceOptions = {}): () => Device {
  let device: Device | undefined;
  beforeAll(async () => {
    device = await openTestDevice(options);
  });
  afterAll(async () => {
    await device?.finished();
    expect(device?.live).toEqual({ buffers: 0, bytes: 0 });
    device?.destroy();
  });
  return () => {
    if (!device) throw new Error('the device is opened before the first test');
    return device;
  };
}
