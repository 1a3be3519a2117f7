import { required } from '../../base/errors.ts';
import { batchNormMoments } from '../../kernels/batch-norm/index.ts';
import { concat } from '../../kernels/concat.ts';
import type { Graph, Node, Tensor } from '../graph.ts';

/**
 * The mean and variance of a channel do not depend on which normalisation reads it: the moments of a tensor are
 * computed once, and those of a concatenation are the concatenation of its parts' moments. In a dense block every
 * feature map is read for its statistics once instead of once a layer.
 */
export function shareMoments(graph: Graph, kept: ReadonlySet<Tensor>): void {
  const known = new Map<Tensor, Tensor>();
  const replaced = new Map<Tensor, Tensor>();
  const nodes: Node[] = [];

  const place = (node: Node): Tensor => {
    nodes.push(node);
    return required(node.outputs[0], 'moments');
  };
  const momentsOf = (x: Tensor): Tensor => {
    let moments = known.get(x);
    if (!moments) {
      const parts = x.producer?.op === concat ? x.producer.inputs.map((part) => momentsOf(part as Tensor)) : undefined;
      moments = place(parts ? graph.createNode(concat, parts, {}) : graph.createNode(batchNormMoments, [x], {}));
      known.set(x, moments);
    }
    return moments;
  };

  for (const node of graph.nodes) {
    const [x] = node.inputs;
    const [result] = node.outputs;
    if (node.op === batchNormMoments && x && result && !kept.has(result)) {
      graph.scope = node.scope;
      replaced.set(result, momentsOf(x));
    } else {
      node.inputs = node.inputs.map((input) => input && (replaced.get(input) ?? input));
      nodes.push(node);
    }
  }
  graph.scope = '';
  graph.nodes = nodes;
}
