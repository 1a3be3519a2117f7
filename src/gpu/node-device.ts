import { Device } from './device.ts';
import { type AdapterOptions, type NodeAdapter, openAdapter } from './node.ts';
import { loadShader } from './node-shaders.ts';

/** Opens a device in Node on the adapter that the options ask for; see openAdapter. */
export async function openDevice(options: AdapterOptions = {}): Promise<{ device: Device; adapter: NodeAdapter }> {
  const adapter = await openAdapter(options);
  const { name, kind } = adapter;
  const memoryBytes = kind === 'hardware' ? undefined : options.softwareMemory;
  const { precision } = options;
  const device = await Device.open(adapter.adapter, { adapter: name, kind, precision, memoryBytes }, loadShader);
  return { device, adapter };
}
