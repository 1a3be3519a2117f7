import { type Graph, type Node, readersOf, type Tensor } from '../graph.ts';

/**
 * Stores maps and their gradients in f16: every tensor of the plan that the op that writes it and all ops that read it
 * can have so (`half`), and with it all that shares its memory: slices, concatenations, what is changed in place. Kept are
 * f32: results, state, statistics, the sums of several gradients. `inputs`: whether inputs may change too, for tests.
 */
export function storeHalves(graph: Graph, kept: ReadonlySet<Tensor>, { inputs = false } = {}): void {
  const memories = memoriesOf(graph.nodes);
  const readers = readersOf(graph.nodes);
  const fits = (tensor: Tensor): boolean =>
    tensor.dtype === 'f32' &&
    !kept.has(tensor) &&
    (tensor.role === 'intermediate' ? canWrite(tensor) : inputs && tensor.role === 'input') &&
    (readers.get(tensor) ?? []).every((reader) => canRead(reader, tensor));
  for (const memory of new Set(memories.values())) {
    if (!memory.every(fits)) continue;
    for (const tensor of memory) tensor.dtype = 'f16';
  }
}

const sharesMemory = ({ op }: Node): boolean => op.view !== undefined || op.joins !== undefined;

function canWrite(tensor: Tensor): boolean {
  const { producer } = tensor;
  if (!producer || sharesMemory(producer)) return producer !== undefined;
  return producer.op.half?.outputs.includes(producer.outputs.indexOf(tensor)) ?? false;
}

const canRead = (reader: Node, tensor: Tensor): boolean =>
  sharesMemory(reader) ||
  reader.inputs.every((input, slot) => input !== tensor || (reader.op.half?.inputs.includes(slot) ?? false));

/** The tensors of a graph, each with all that its memory is shared with. */
function memoriesOf(nodes: readonly Node[]): Map<Tensor, Tensor[]> {
  const memories = new Map<Tensor, Tensor[]>();
  for (const { inputs, outputs } of nodes) {
    for (const tensor of [...inputs, ...outputs]) if (tensor && !memories.has(tensor)) memories.set(tensor, [tensor]);
  }
  const unite = (a: Tensor | undefined, b: Tensor | undefined): void => {
    const [kept, merged] = [a && memories.get(a), b && memories.get(b)];
    if (!kept || !merged || kept === merged) return;
    kept.push(...merged);
    for (const tensor of merged) memories.set(tensor, kept);
  };
  for (const node of nodes) {
    const slot = node.op.accumulates;
    const shared = sharesMemory(node) ? node.inputs : slot === undefined ? [] : [node.inputs[slot]];
    for (const input of shared) unite(node.outputs[0], input);
  }
  return memories;
}
