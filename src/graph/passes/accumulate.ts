import { add } from '../../kernels/elementwise.ts';
import { type Graph, type Node, readersOf, type Tensor } from '../graph.ts';

/**
 * Sums of gradients without a buffer and a pass of their own: where a sum a + b adds a result b that nobody else reads,
 * b's op adds it into a's memory while writing.
 */
export function fuseAccumulation(graph: Graph, kept: ReadonlySet<Tensor>): void {
  const readers = readersOf(graph.nodes);
  const position = new Map(graph.nodes.map((node, index) => [node, index]));
  const replaced = new Map<Tensor, Tensor>();
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    node.inputs = node.inputs.map((input) => input && (replaced.get(input) ?? input));
    const [sum, part] = node.inputs;
    const [result] = node.outputs;
    const producer = part?.producer;
    const slot = producer?.op.accumulates;
    const fusible =
      node.op === add &&
      sum?.role === 'intermediate' &&
      part !== undefined &&
      result !== undefined &&
      producer !== undefined &&
      slot !== undefined &&
      !producer.inputs[slot] &&
      readers.get(part)?.length === 1 &&
      ![part, result].some((tensor) => kept.has(tensor)) &&
      before(position, sum.producer, producer);
    if (fusible) {
      producer.inputs[slot] = sum;
      replaced.set(result, part);
    } else {
      nodes.push(node);
    }
  }
  graph.nodes = nodes;
}

function before(position: ReadonlyMap<Node, number>, first: Node | undefined, second: Node): boolean {
  return !!first && (position.get(first) ?? Number.POSITIVE_INFINITY) < (position.get(second) ?? -1);
}
