import { type BrowserAdapter, openAdapter } from './browser-adapter.ts';
import { Device } from './device.ts';
import type { ShaderLoader } from './shader.ts';

/** Opens a device on the browser's adapter; call it anew where one was lost. Throws a UserError where there is none. */
export async function openBrowserDevice(load: ShaderLoader): Promise<{ device: Device; adapter: BrowserAdapter }> {
  const adapter = await openAdapter();
  const { name, kind } = adapter;
  return { device: await Device.open(adapter.adapter, { adapter: name, kind }, load), adapter };
}
