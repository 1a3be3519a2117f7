import type { Graph, Node, Tensor } from '../graph.ts';

/** Drops nodes whose results nobody reads; nodes that change state stay. */
export function removeUnused(graph: Graph, kept: ReadonlySet<Tensor>): void {
  const used = new Set<Tensor>(kept);
  const nodes: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.op.mutates && !node.outputs.some((output) => used.has(output))) continue;
    for (const input of node.inputs) if (input) used.add(input);
    nodes.push(node);
  }
  graph.nodes = nodes.reverse();
}
