import { checkCase } from '../../../src/graph/check/check-case.ts';
import { traceCase } from '../../../src/graph/check/trace.ts';
import { fittingVariants } from '../../../src/graph/check/variants.ts';
import { opCases } from '../../../src/kernels/cases.ts';
import type { OnProgress, OpCheck } from '../engine-api.ts';
import type { Opened } from './session.ts';

const namesOf = (ops: readonly string[]) => opCases.filter(({ op }) => ops.length === 0 || ops.includes(op.name));

export const opNames = (): string[] => [...new Set(opCases.map(({ op }) => op.name))];

/** Runs every case of the ops, of all where none is named, on every variant that fits this adapter. */
export async function verify(
  { device }: Opened,
  ops: readonly string[],
  { onProgress, onOp }: { onProgress: OnProgress; onOp: (check: OpCheck) => void },
  signal: AbortSignal,
): Promise<void> {
  const chosen = namesOf(ops);
  const total = chosen.reduce((sum, { cases }) => sum + cases.length, 0);
  let done = 0;
  for (const one of chosen) {
    const faults: string[] = [];
    const variants = new Set<string>();
    for (const each of one.cases) {
      signal.throwIfAborted();
      onProgress({ done: done++, total, what: `${one.op.name}: ${each.name}` });
      for (const node of traceCase(one, each).graph.nodes) {
        if (node.op === one.op) for (const name of fittingVariants(node, device.traits)) variants.add(name);
      }
      try {
        faults.push(...(await checkCase(device, one, each)));
      } catch (error) {
        // A device that was lost is no fault of the kernel.
        device.check();
        faults.push(`${one.op.name} "${each.name}" does not run: ${error instanceof Error ? error.message : error}`);
      }
    }
    onOp({ op: one.op.name, cases: one.cases.length, variants: [...variants], faults });
  }
  onProgress({ done: total, total, what: 'done' });
}
