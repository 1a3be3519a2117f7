import { batchNormApply } from '../../kernels/batch-norm/index.ts';
import { type Graph, type Node, readersOf, type Tensor } from '../graph.ts';

/**
 * A normalisation whose every reader can apply it while loading is never written to memory: the readers take its input
 * and its affine map instead.
 */
export function fusePrologues(graph: Graph, kept: ReadonlySet<Tensor>): void {
  const readers = readersOf(graph.nodes);
  const fused = new Set<Node>();
  for (const node of graph.nodes) {
    const [result] = node.outputs;
    const [x, , affine, residual] = node.inputs;
    if (node.op !== batchNormApply || !result || residual || kept.has(result)) continue;
    const users = readers.get(result) ?? [];
    if (users.length === 0 || !users.every((user) => takesPrologue(user, result))) continue;
    for (const user of users) {
      const slots = user.op.prologue;
      if (!slots) continue;
      user.inputs[slots.x] = x;
      user.inputs[slots.affine] = affine;
      user.attributes = { ...user.attributes, prologue: node.attributes.activation };
    }
    fused.add(node);
  }
  graph.nodes = graph.nodes.filter((node) => !fused.has(node));
}

function takesPrologue({ op, inputs }: Node, tensor: Tensor): boolean {
  if (!op.prologue || inputs[op.prologue.affine]) return false;
  return inputs.every((input, index) => (input === tensor) === (index === op.prologue?.x));
}
