import type { Device } from '../gpu/device.ts';
import { openDevice } from '../gpu/node-device.ts';
import type { Context, Output } from './command.ts';
import type { Options } from './options.ts';

/** Names of WebGPU's supported limits with their values, in the order in which the adapter lists them. */
function listLimits(limits: GPUSupportedLimits): Record<string, number> {
  const found: Record<string, number> = {};
  for (const name in limits) {
    const value = limits[name as keyof GPUSupportedLimits];
    if (typeof value === 'number') found[name] = value;
  }
  return found;
}

const MIB = 2 ** 20;

function readable(value: number): string {
  return value >= MIB && value % MIB === 0 ? `${value} (${value / MIB} MiB)` : String(value);
}

interface KernelCheck {
  readonly cases: number;
  /** What differed from the references or did not run, a line each. */
  readonly faults: readonly string[];
}

/** Runs every case of every op on every variant that is fit for the adapter, with maps in f16 too where it has that. */
async function checkKernels(device: Device, context: Context): Promise<KernelCheck> {
  const { opCases } = await import('../kernels/cases.ts');
  const { checkCase } = await import('../graph/check/check-case.ts');
  const all = opCases.flatMap((one) => one.cases.map((found) => ({ one, found })));
  const halves = device.gpu.features.has('shader-f16');
  const progress = context.progress('checking kernels', 'cases');
  const faults: string[] = [];
  try {
    for (const [index, { one, found }] of all.entries()) {
      try {
        faults.push(...(await checkCase(device, one, found)));
        if (halves && one.op.half) faults.push(...(await checkCase(device, one, found, { halves })));
      } catch (error) {
        faults.push(`${one.op.name} "${found.name}" does not run: ${error instanceof Error ? error.message : error}`);
      }
      progress.update(index + 1, all.length);
    }
  } finally {
    progress.end();
  }
  return { cases: all.length, faults };
}

const FAULTS_SHOWN = 10;

function describeCheck({ cases, faults }: KernelCheck): string {
  if (faults.length === 0) return `all ${cases} cases agree with their float64 references`;
  const shown = faults.slice(0, FAULTS_SHOWN).map((fault) => `\n  ${fault}`);
  return `WRONG on this adapter, please report it: ${faults.length} faults${shown.join('')}`;
}

/** Shows the adapter that a run would use, and why, and whether the kernels compute right on it. */
export async function run(options: Options<'doctor'>, context: Context): Promise<Output> {
  const { device, adapter: found } = await openDevice({ adapter: options.adapter });
  const { adapter, kind, name, driver, reason, toggles } = found;
  let kernels: KernelCheck | undefined;
  try {
    if (options.check) kernels = await checkKernels(device, context);
  } finally {
    device.destroy();
  }
  const features = [...adapter.features].sort();
  const precisions = features.includes('shader-f16') ? ['f32', 'f16'] : ['f32'];
  const limits = listLimits(adapter.limits);
  const platform = `${process.platform}-${process.arch}`;
  const rows: [string, string][] = [
    ['adapter', `${name} (${kind})`],
    ['driver', driver],
    ['chosen', `because ${reason}`],
    ['node', `${process.version} ${platform}`],
    ['toggles on', toggles.enabled.join(' ')],
    ['toggles off', toggles.disabled.join(' ')],
    ['features', features.join(' ')],
    [
      'precision',
      precisions.length > 1 ? precisions.join(' ') : 'f32 (no shader-f16: --precision f16 falls back to it)',
    ],
    ['kernels', kernels ? describeCheck(kernels) : 'not checked'],
  ];
  const limitRows = Object.entries(limits).map(([limit, value]): [string, string] => [limit, readable(value)]);
  const column = (pairs: [string, string][], width: number) =>
    pairs.map(([key, text]) => `${key.padEnd(width)}  ${text}`);
  const widest = Math.max(...limitRows.map(([limit]) => limit.length));
  return {
    json: {
      adapter: { kind, name, driver, reason },
      toggles,
      features,
      precisions,
      limits,
      node: process.version,
      platform,
      kernels: kernels ?? null,
    },
    text: [...column(rows, 11), 'limits', ...column(limitRows, widest).map((line) => `  ${line}`)].join('\n'),
    failed: kernels !== undefined && kernels.faults.length > 0,
  };
}
