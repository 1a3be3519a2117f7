import { cpus, loadavg } from 'node:os';
import type { NodeAdapter } from '../gpu/node.ts';
import { nodeFiles } from '../io/node.ts';
import { packageVersion } from './version.ts';

/** What every figure is to be read with. */
export interface Conditions {
  /** ISO 8601. */
  readonly date: string;
  readonly version: string;
  readonly adapter: string;
  readonly kind: string;
  readonly driver: string;
  readonly node: string;
  readonly platform: string;
  readonly cores: number;
  /** Processes that wanted a core in the last minute, this one included; 0 where the system does not tell. */
  readonly load: number;
}

export function conditionsOf({ name, kind, driver }: NodeAdapter): Conditions {
  return {
    date: new Date().toISOString(),
    version: packageVersion(),
    adapter: name,
    kind,
    driver,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cores: cpus().length,
    load: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}

export const writeJson = (file: string, value: object): Promise<void> =>
  nodeFiles.writeAtomic(file, `${JSON.stringify(value, null, 1)}\n`);
