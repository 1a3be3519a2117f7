import { InternalError, UserError } from '../base/errors.ts';
import type { AdapterKind, Precision } from '../base/traits.ts';
import { openSwiftShader, systemHasVulkan } from './node-swiftshader.ts';

export interface NodeAdapter {
  adapter: GPUAdapter;
  kind: AdapterKind;
  /** The device as WebGPU names it, e.g. `nvidia-h100-80gb-hbm3`. */
  name: string;
  /** The driver and its version, e.g. `llvmpipe: Mesa 26.2.6-1 (LLVM 22.1.8)`. */
  driver: string;
  /** Why this adapter was chosen: one sentence. */
  reason: string;
  toggles: DawnToggles;
}

export interface AdapterOptions {
  /** `auto` (default), `hardware`, `software`, `embedded`, or a part of an adapter's name. */
  adapter?: string | undefined;
  /** Keep what a browser guarantees: clamped indices, zeroed memory, defined division by zero. Default true. */
  robustness?: boolean | undefined;
  /** Keep WebGPU's validation. Default true. */
  validation?: boolean | undefined;
  /** Bytes that the buffers of a software adapter, which are host memory, may take in all; default: no limit. */
  softwareMemory?: number | undefined;
  /** See DeviceDescription; default `f32`. */
  precision?: Precision | undefined;
}

export interface DawnToggles {
  enabled: readonly string[];
  disabled: readonly string[];
}

interface Found {
  adapter: GPUAdapter;
  kind: AdapterKind;
  reason: string;
}

// Dawn dies with a mutex assertion once an object that `create` returned is collected: they live as long as the process.
const instances = new Map<string, GPU>();

/** Dawn's toggles (Toggles.cpp in its source) that the options ask for. */
function dawnToggles(options: AdapterOptions): DawnToggles {
  const enabled = ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia'];
  const disabled = ['timestamp_quantization'];
  if (options.robustness === false) {
    enabled.push('disable_robustness', 'disable_workgroup_init', 'disable_polyfills_on_integer_div_and_mod');
    disabled.push('lazy_clear_resource_on_first_use');
  }
  if (options.validation === false) enabled.push('skip_validation');
  return { enabled, disabled };
}

async function instance(toggles: DawnToggles, driver: 'system' | 'embedded', name?: string): Promise<GPU> {
  const arguments_ = [
    `enable-dawn-features=${toggles.enabled.join(',')}`,
    `disable-dawn-features=${toggles.disabled.join(',')}`,
    ...(name === undefined ? [] : [`adapter=${name}`]),
  ];
  const key = [driver, ...arguments_].join(' ');
  const { create, globals } = await loadDawn();
  const known = instances.get(key);
  if (known) return known;
  Object.assign(globalThis, globals);
  const made = create(arguments_);
  instances.set(key, made);
  return made;
}

async function loadDawn(): Promise<typeof import('webgpu')> {
  try {
    return await import('webgpu');
  } catch (error) {
    const cause = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new UserError(
      `cannot load Dawn (npm package webgpu) on ${process.platform}-${process.arch}: ${cause}; run npm ci on Linux, macOS or Windows with x64 or arm64`,
    );
  }
}

/** An adapter of the system's own drivers: `any` takes a hardware one before a software one. */
async function systemAdapter(toggles: DawnToggles, wanted: 'any' | 'software'): Promise<GPUAdapter | null> {
  if (!systemHasVulkan()) return null;
  const gpu = await instance(toggles, 'system');
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (wanted === 'any' || !adapter || kindOf(adapter) === 'software') return adapter;
  // As an instance's first request this one would have Dawn look for SwiftShader alone.
  return gpu.requestAdapter({ forceFallbackAdapter: true });
}

async function embeddedAdapter(toggles: DawnToggles, reason: string): Promise<Found> {
  const restore = await openSwiftShader();
  try {
    const adapter = await (await instance(toggles, 'embedded')).requestAdapter();
    if (!adapter) throw new InternalError('Dawn does not accept the embedded SwiftShader');
    return { adapter, kind: 'embedded', reason };
  } finally {
    restore();
  }
}

async function namedAdapter(toggles: DawnToggles, name: string): Promise<Found> {
  const missing = (available: string) =>
    new UserError(
      `--adapter ${name}: no adapter has this in its name (${available}); use auto, hardware, software, embedded or a part of a name`,
    );
  if (!systemHasVulkan()) throw missing('this system has no Vulkan');
  const gpu = await instance(toggles, 'system', name);
  try {
    const adapter = await gpu.requestAdapter();
    if (adapter) return { adapter, kind: kindOf(adapter), reason: `its name was asked for: ${name}` };
  } catch (error) {
    // Dawn rejects with the list of what there is: lines of ` * backend: 'vulkan', name: 'llvmpipe (LLVM 22.1.8)'`.
    const names = [...String(error).matchAll(/name: '(.*)'/g)].map((match) => match[1]);
    if (names.length) throw missing(`there is: ${names.join(', ')}`);
    throw error;
  }
  throw missing('Dawn finds none on this system');
}

function kindOf(adapter: GPUAdapter): AdapterKind {
  return adapter.info.isFallbackAdapter ? 'software' : 'hardware';
}

async function findAdapter(wanted: string, toggles: DawnToggles): Promise<Found> {
  switch (wanted) {
    case 'auto': {
      const adapter = await systemAdapter(toggles, 'any');
      if (!adapter)
        return embeddedAdapter(toggles, `${systemFault()}: the SwiftShader that npm ci brought runs instead, slowly`);
      const kind = kindOf(adapter);
      if (kind === 'hardware') return { adapter, kind, reason: 'it is the hardware adapter of this system' };
      return {
        adapter,
        kind,
        reason: 'no hardware adapter was found: a software Vulkan driver of this system runs instead',
      };
    }
    case 'hardware': {
      const adapter = await systemAdapter(toggles, 'any');
      if (adapter && kindOf(adapter) === 'hardware')
        return { adapter, kind: 'hardware', reason: 'hardware was asked for' };
      const found = adapter ? `only the software adapter ${adapter.info.description}` : 'none';
      throw new UserError(
        `--adapter hardware: expected a GPU that Dawn accepts, found ${found}; install the GPU's driver, or use --adapter auto`,
      );
    }
    case 'software': {
      const adapter = await systemAdapter(toggles, 'software');
      if (adapter) return { adapter, kind: 'software', reason: 'software was asked for' };
      throw new UserError(
        `--adapter software: ${systemFault()}; install one with scripts/software-gpu.sh, or use --adapter embedded`,
      );
    }
    case 'embedded':
      return embeddedAdapter(toggles, 'embedded was asked for');
    default:
      return namedAdapter(toggles, wanted);
  }
}

function systemFault(): string {
  return systemHasVulkan() ? 'Dawn accepts no Vulkan driver of this system' : 'this system has no Vulkan';
}

/**
 * Opens an adapter of Dawn's Node binding and sets WebGPU's globals (`GPUBufferUsage`, ...).
 *
 * `auto` takes a hardware adapter; else a software driver of the system; else the embedded SwiftShader.
 * Throws a UserError where the wanted one does not exist.
 */
export async function openAdapter(options: AdapterOptions = {}): Promise<NodeAdapter> {
  const toggles = dawnToggles(options);
  const { adapter, kind, reason } = await findAdapter(options.adapter ?? 'auto', toggles);
  const { device, description } = adapter.info;
  return { adapter, kind, name: device.replace(/-+$/, '') || description, driver: description, reason, toggles };
}
