import { InternalError, required } from '../../base/errors.ts';
import { f16Words } from '../../base/half.ts';
import type { Device } from '../../gpu/device.ts';
import type { Case, CaseInput, OpCases, ReferenceTensor } from '../../kernels/reference.ts';
import type { Graph, Node, Tensor } from '../graph.ts';
import type { PassName } from '../passes/index.ts';
import { Program } from '../program.ts';
import { differences } from './compare.ts';
import { type Expected, expectedOf } from './expected.ts';
import { type Slices, traceCase } from './trace.ts';
import { variantChoices } from './variants.ts';

/** The values of inputs as the references take them. */
export const asReferences = (values: ReadonlyMap<Tensor, CaseInput>): Map<Tensor, ReferenceTensor> =>
  new Map(
    [...values].map(([tensor, { shape, dtype, values: numbers }]) => [
      tensor,
      { shape, dtype, values: numbers instanceof Uint32Array ? numbers : Float64Array.from(numbers) },
    ]),
  );

export interface GuardedRun {
  readonly device: Device;
  /** Used up by the run. */
  readonly graph: Graph;
  readonly values: ReadonlyMap<Tensor, CaseInput>;
  readonly results: readonly Tensor[];
  readonly choose?: (node: Node) => string | undefined;
  /** Passes to leave out. */
  readonly without?: readonly PassName[];
  /** Operands beyond it are cut; default: what the device can bind. */
  readonly maxBindingBytes?: number;
}

/** Runs a graph once between guard words and in buffers full of NaN; throws what the device reported. */
export async function runGuarded(
  run: GuardedRun,
): Promise<{ results: Map<Tensor, ArrayBuffer>; overruns: readonly string[] }> {
  const { gpu } = run.device;
  gpu.pushErrorScope('validation');
  const outcome = await readGuarded(run).finally(async () => {
    const error = await gpu.popErrorScope();
    if (error) throw new InternalError(error.message);
  });
  run.device.check();
  return outcome;
}

async function readGuarded({ device, graph, values, results, choose, without = [], maxBindingBytes }: GuardedRun) {
  const program = await Program.compile(device, graph, {
    results,
    guarded: true,
    without,
    ...(choose ? { variant: choose } : {}),
    ...(maxBindingBytes ? { maxBindingBytes } : {}),
  });
  try {
    for (const [tensor, input] of values)
      if (program.uses(tensor)) program.write(tensor, storedValues(tensor, input.values));
    program.run();
    const read = await Promise.all(results.map(async (tensor) => [tensor, await program.read(tensor)] as const));
    return { results: new Map(read), overruns: await program.findOverruns() };
  } finally {
    program.destroy();
  }
}

/** Numbers as a tensor's memory holds them. */
const storedValues = ({ dtype }: Tensor, values: CaseInput['values']): ArrayBufferView<ArrayBuffer> =>
  dtype === 'f16' && values instanceof Float32Array ? f16Words(values) : values;

/** Lines for every result that is not as expected. */
export function compareResults(
  label: string,
  run: ReadonlyMap<Tensor, ArrayBuffer>,
  expected: ReadonlyMap<Tensor, Expected>,
): string[] {
  return [...run].flatMap(([tensor, bytes]) => {
    const { elements, tolerances } = required(expected.get(tensor), tensor.name);
    const wanted = elements.map((element, index) => ({ index, element, tolerance: tolerances[index] as number }));
    return differences(`${label}: ${tensor.name}`, tensor.dtype, bytes, wanted);
  });
}

/**
 * Compares all outputs of a case with its reference, for each variant that fits. Returns a line for each of the first
 * elements that differ and for each guard that was overwritten; nothing where all is well. With `slices`, maps are slices
 * of wider ones; with `halves`, they are stored in f16 wherever the op can have them so, and inputs are rounded to it first.
 */
export async function checkCase(
  device: Device,
  opCases: OpCases,
  one: Case<unknown>,
  { slices, halves = false }: { readonly slices?: Slices; readonly halves?: boolean } = {},
): Promise<string[]> {
  const lines: string[] = [];
  const choices = variantChoices(traceCase(opCases, one, slices, halves).graph, device.traits);
  for (const { name, choose } of choices) {
    const { graph, values, outputs, mutated } = traceCase(opCases, one, slices, halves);
    const results = [...outputs, ...mutated];
    const expected = expectedOf(graph, asReferences(values), results);
    const run = await runGuarded({ device, graph, values, results, choose });
    const label = `${opCases.op.name} "${one.name}" (${name})`;
    lines.push(...compareResults(label, run.results, expected), ...run.overruns.map((line) => `${label}: ${line}`));
  }
  return lines;
}
