import { afterAll, beforeAll, expect } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import { openTestDevice } from './device.ts';

/**
 * A device for the tests of a file, opened before the first. After the last it must have reported no error and hold no
 * buffer: a test destroys what it makes.
 */
export function useDevice(): () => Device {
  let device: Device | undefined;
  beforeAll(async () => {
    device = await openTestDevice();
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
