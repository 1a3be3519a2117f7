import { Device } from '../../src/gpu/device.ts';
import { type AdapterOptions, openAdapter } from '../../src/gpu/node.ts';
import { loadShader } from '../../src/gpu/node-shaders.ts';

export interface TestDeviceOptions extends AdapterOptions {
  /** Takes the kernels and grids of another kind of adapter than it is. */
  readonly kind?: 'hardware';
  /** Lets kernels round operands to f16. */
  readonly precision?: 'f16';
  /** Bytes that all buffers together may take. */
  readonly memoryBytes?: number;
}

/** What the engine has to compute the same with. */
export const MODES: readonly (TestDeviceOptions & { readonly name: string })[] = [
  { name: 'with bounds checks and validation', robustness: true, validation: true },
  { name: 'without bounds checks and validation', robustness: false, validation: false },
];

/** The kernels of a GPU, wherever the tests run. */
export const HARDWARE_KERNELS: TestDeviceOptions & { readonly name: string } = {
  name: 'with the kernels of a GPU',
  kind: 'hardware',
};

/** A device of this run's adapter; the caller destroys it. */
export async function openTestDevice({
  kind,
  precision,
  memoryBytes,
  ...options
}: TestDeviceOptions = {}): Promise<Device> {
  const adapter = process.env.MURAD_TEST_ADAPTER;
  const found = await openAdapter({ adapter, ...options });
  const description = { adapter: found.name, kind: kind ?? found.kind, precision, memoryBytes };
  return Device.open(found.adapter, description, loadShader);
}
