import { openAdapter } from '../gpu/node.ts';
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

/** Shows the adapter that a run would use, and why. */
export async function run(options: Options<'doctor'>, _context: Context): Promise<Output> {
  const { adapter, kind, name, driver, reason, toggles } = await openAdapter({ adapter: options.adapter });
  const features = [...adapter.features].sort();
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
  ];
  const limitRows = Object.entries(limits).map(([limit, value]): [string, string] => [limit, readable(value)]);
  const column = (pairs: [string, string][], width: number) =>
    pairs.map(([key, text]) => `${key.padEnd(width)}  ${text}`);
  const widest = Math.max(...limitRows.map(([limit]) => limit.length));
  return {
    json: { adapter: { kind, name, driver, reason }, toggles, features, limits, node: process.version, platform },
    text: [...column(rows, 11), 'limits', ...column(limitRows, widest).map((line) => `  ${line}`)].join('\n'),
  };
}
