import { UserError } from '../base/errors.ts';
import type { AdapterKind } from '../base/traits.ts';

/** Chromium without a GPU process leaves a page's first request without an answer. */
const LONGEST_WAIT_MS = 15_000;

/** An adapter as a browser tells of it, which is less than Dawn tells Node. */
export interface BrowserAdapter {
  readonly adapter: GPUAdapter;
  readonly kind: AdapterKind;
  /** The device, or the architecture where the browser does not name it, e.g. `nvidia ada`. */
  readonly name: string;
  /** What else the browser says of the driver; often nothing. */
  readonly driver: string;
}

/** `embedded` is the SwiftShader that comes with a browser: it takes seconds to compile a kernel with workgroup memory. */
function kindOf({ architecture, device, description, isFallbackAdapter }: GPUAdapterInfo): AdapterKind {
  if (/swiftshader/i.test(`${architecture} ${device} ${description}`)) return 'embedded';
  return isFallbackAdapter || /llvmpipe|lavapipe|basic render/i.test(description) ? 'software' : 'hardware';
}

/** Throws a UserError where the browser has no WebGPU or no adapter for it. */
export async function openAdapter(gpu: GPU | undefined = navigator.gpu): Promise<BrowserAdapter> {
  if (!gpu)
    throw new UserError('this browser has no WebGPU, or the page came neither over https nor from this machine');
  const asked = gpu.requestAdapter({ powerPreference: 'high-performance' });
  const adapter = await Promise.race([
    asked,
    new Promise<null>((resolve) => setTimeout(resolve, LONGEST_WAIT_MS, null)),
  ]);
  if (!adapter) throw new UserError('this browser has WebGPU but no adapter for it on this machine');
  const { vendor, architecture, device, description } = adapter.info;
  const name = [vendor, device || architecture].filter(Boolean).join(' ') || 'unnamed adapter';
  return { adapter, kind: kindOf(adapter.info), name, driver: description };
}
