import { roundedToF16 } from '../../base/half.ts';
import { channelsOf, rowsOf, type TensorType } from '../../base/shape.ts';
import { concat, narrow } from '../../kernels/concat.ts';
import { filled, words } from '../../kernels/draw.ts';
import type { Case, CaseInput, Emit, OpCases } from '../../kernels/reference.ts';
import { Graph, type Tensor } from '../graph.ts';
import { storeHalves } from '../passes/store-halves.ts';

/** Channels beside a slice in the wider feature map that it is cut out of. */
export interface Slices {
  readonly before: number;
  readonly after: number;
}

/** A case as a graph: what to write to its inputs and what to read from it. */
export interface TracedCase {
  readonly graph: Graph;
  /** In the order of the case's inputs. */
  readonly inputs: readonly (Tensor | undefined)[];
  readonly values: ReadonlyMap<Tensor, CaseInput>;
  readonly outputs: readonly Tensor[];
  /** Inputs that an op changes. */
  readonly mutated: readonly Tensor[];
}

/**
 * Traces a case; with `slices`, feature maps are slices of wider ones, as they are in a dense block; with `halves`, maps
 * are stored in f16.
 */
export function traceCase(opCases: OpCases, one: Case<unknown>, slices?: Slices, halves = false): TracedCase {
  const graph = new Graph();
  const values = new Map<Tensor, CaseInput>();
  const declare = (name: string, input: CaseInput): Tensor => {
    const tensor = graph.input(name, input.shape, input.dtype);
    values.set(tensor, input);
    return tensor;
  };
  const inputs = one.inputs.map((input, slot) => {
    const name = `${opCases.op.inputs[slot] ?? 'input'} ${slot}`;
    if (!input || !slices || !opCases.maps?.includes(slot)) return input && declare(name, input);
    const wide = declare(`wide ${name}`, widened(input, slices));
    return graph.emit(narrow, [wide], { start: slices.before, channels: channelsOf(input.shape) })[0];
  });
  const emit: Emit<Tensor> = (op, operands, attributes) => graph.emit(op, operands, attributes);
  const traced = one.trace ? one.trace(emit, inputs as Tensor[]) : graph.emit(opCases.op, inputs, one.attributes);
  const outputs = slices ? joined(graph, traced, opCases, slices, declare) : traced;
  const mutated = graph.nodes.flatMap((node) => (node.op.mutates ?? []).map((slot) => node.inputs[slot] as Tensor));
  if (halves) {
    storeHalves(graph, new Set(), { inputs: true });
    for (const [tensor, input] of values) if (tensor.dtype === 'f16') values.set(tensor, roundedInput(input));
  }
  return { graph, inputs, values, outputs, mutated: [...new Set(mutated)] };
}

/** Puts the first output between two other tensors, where the op can write into a wider map. */
function joined(
  graph: Graph,
  outputs: readonly Tensor[],
  { op }: OpCases,
  { before, after }: Slices,
  declare: (name: string, input: CaseInput) => Tensor,
): Tensor[] {
  const [first, ...others] = outputs;
  if (!first || first.producer?.op !== op || !op.stridedOutput) return [...outputs];
  const beside = (channels: number, value: number) =>
    declare(`beside ${value}`, filled([...first.shape.slice(0, -1), channels], value));
  return [...graph.emit(concat, [beside(before, 1), first, beside(after, 2)], {}), ...others];
}

const roundedInput = (input: CaseInput): CaseInput =>
  input.values instanceof Float32Array ? { ...input, values: roundedToF16(input.values) } : input;

function widened(input: TensorType & { readonly values: CaseInput['values'] }, { before, after }: Slices): CaseInput {
  const channels = channelsOf(input.shape);
  const width = before + channels + after;
  const shape = [...input.shape.slice(0, -1), width];
  const wide = input.dtype === 'u32' ? words(shape, filled(shape, 1e6).values) : filled(shape, 1e6);
  for (let row = 0; row < rowsOf(input.shape); row++) {
    wide.values.set(input.values.subarray(row * channels, (row + 1) * channels), row * width + before);
  }
  return wide;
}
