import { Device } from '../../src/gpu/device.ts';
import { type AdapterOptions, openAdapter } from '../../src/gpu/node.ts';
import { loadShader } from '../../src/gpu/node-shaders.ts';

/** What the engine has to compute the same with. */
export const MODES: readonly (AdapterOptions & { readonly name: string })[] = [
  { name: 'with bounds checks and validation', robustness: true, validation: true },
  { name: 'without bounds checks and validation', robustness: false, validation: false },
];

/** A device of this run's adapter; the caller destroys it. */
export async function openTestDevice(options: AdapterOptions = {}): Promise<Device> {
  const adapter = process.env.MURAD_TEST_ADAPTER;
  const found = await openAdapter({ adapter, ...options });
  return Device.open(found.adapter, { adapter: found.name, kind: found.kind }, loadShader);
}
