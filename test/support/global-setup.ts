import { execFileSync } from 'node:child_process';
import type { TestProject } from 'vitest/node';
import { UserError } from '../../src/base/errors.ts';
import { type NodeAdapter, openAdapter } from '../../src/gpu/node.ts';
import { PYTHON } from './pytorch.ts';

/** What the tests know of the adapter before any of them runs; `description` says why there is none. */
export interface TestAdapter {
  kind: NodeAdapter['kind'] | 'none';
  description: string;
  /** Whether it can store f16. */
  halves: boolean;
}

declare module 'vitest' {
  interface ProvidedContext {
    adapter: TestAdapter;
    /** Whether PYTHON has PyTorch and what the tests use with it. */
    pytorch: boolean;
    /** Whether it has scikit-learn. */
    sklearn: boolean;
  }
}

/** The adapter that the tests run on: `MURAD_TEST_ADAPTER` names one as `--adapter` does. */
export function openTestAdapter(): Promise<NodeAdapter> {
  return openAdapter({ adapter: process.env.MURAD_TEST_ADAPTER });
}

export default async function setup(project: TestProject): Promise<void> {
  const adapter = await describeAdapter();
  console.log(`tests run on the ${adapter.description}`);
  project.provide('adapter', adapter);
  project.provide('pytorch', has('torch', 'torchvision', 'PIL'));
  project.provide('sklearn', has('sklearn', 'numpy'));
}

/** Whether PYTHON has these packages; looks without importing, which takes a second. */
function has(...packages: string[]): boolean {
  const find = `from importlib.util import find_spec; assert all(map(find_spec, ${JSON.stringify(packages)}))`;
  try {
    execFileSync(PYTHON, ['-c', find], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function describeAdapter(): Promise<TestAdapter> {
  try {
    const { adapter, kind, name, driver, reason } = await openTestAdapter();
    const halves = adapter.features.has('shader-f16');
    return { kind, description: `${kind} adapter ${name} (${driver}): ${reason}`, halves };
  } catch (error) {
    if (error instanceof UserError) return { kind: 'none', description: `CPU alone: ${error.message}`, halves: false };
    throw error;
  }
}
