import type { AdapterTraits } from '../../base/traits.ts';
import { batchNormMoments } from '../../kernels/batch-norm/index.ts';
import type { Graph, Node, Tensor } from '../graph.ts';
import { replaceOutput } from './epilogue.ts';

/**
 * The statistics of a map are gathered by the op that writes it, where that op offers it on the adapter and is right
 * there: no pass over the map of their own.
 */
export function fuseMoments(
  graph: Graph,
  _kept: ReadonlySet<Tensor>,
  traits: AdapterTraits | undefined,
  isRight: (node: Node) => boolean,
): void {
  if (!traits) return;
  const replaced = new Map<Node, Node[]>();
  for (const node of graph.nodes) {
    const [x] = node.inputs;
    const source = x?.producer;
    const { moments } = source?.op ?? {};
    if (node.op !== batchNormMoments || !source || !moments || replaced.has(source)) continue;
    if (source.outputs[0] !== x || !moments.fits({ ...source, traits })) continue;
    graph.scope = source.scope;
    const fused = graph.createNode(moments.op, source.inputs, source.attributes);
    if (!isRight(fused)) continue;
    [...source.outputs, ...node.outputs].forEach((tensor, output) => {
      replaceOutput(fused, output, tensor);
    });
    replaced.set(source, [fused]).set(node, []);
  }
  graph.scope = '';
  graph.nodes = graph.nodes.flatMap((node) => replaced.get(node) ?? [node]);
}
