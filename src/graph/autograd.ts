import { InternalError } from '../base/errors.ts';
import type { OpDefinition } from '../kernels/definition.ts';
import { add } from '../kernels/elementwise.ts';
import type { Graph, Node, Tensor } from './graph.ts';

/**
 * Appends the nodes that compute the gradients of the sum of `losses` with respect to `targets` (reverse mode): one backward of
 * each op on a path between them. `seeds` gives the gradients of tensors other than a loss.
 * Returns the gradient of each target; a target that no loss depends on has none.
 */
export function gradients(
  graph: Graph,
  targets: readonly Tensor[],
  losses: readonly Tensor[],
  seeds: ReadonlyMap<Tensor, Tensor> = new Map(),
): Map<Tensor, Tensor> {
  const forward = [...graph.nodes];
  const needed = tensorsDependingOn(forward, targets);
  const gradientOf = new Map<Tensor, Tensor>(seeds);
  for (let index = forward.length - 1; index >= 0; index--) {
    const node = forward[index] as Node;
    if (!node.outputs.some((output) => gradientOf.has(output) || losses.includes(output))) continue;
    const needs = node.inputs.map((input) => input !== undefined && needed.has(input));
    if (!needs.some(Boolean)) continue;
    if (!node.op.backward) throw new InternalError(`${node.op.name} has no gradient`);
    graph.scope = node.scope;
    const found = node.op.backward<Tensor>({
      inputs: node.inputs,
      outputs: node.outputs,
      gradients: node.outputs.map((output) => gradientOf.get(output)),
      attributes: node.attributes,
      needs,
      emit: <B>(op: OpDefinition<B>, inputs: readonly (Tensor | undefined)[], attributes: B) =>
        graph.emit(op, inputs, attributes),
    });
    node.inputs.forEach((input, slot) => {
      const gradient = found[slot];
      if (!input || !needs[slot] || !gradient) return;
      const sum = gradientOf.get(input);
      gradientOf.set(input, sum ? (graph.emit(add, [sum, gradient], {})[0] as Tensor) : gradient);
    });
  }
  graph.scope = '';
  return new Map(
    targets.flatMap((target) => {
      const gradient = gradientOf.get(target);
      return gradient ? [[target, gradient] as const] : [];
    }),
  );
}

function tensorsDependingOn(nodes: readonly Node[], targets: readonly Tensor[]): Set<Tensor> {
  const depending = new Set(targets);
  for (const node of nodes) {
    const differentiable = node.op.backward !== undefined;
    if (differentiable && node.inputs.some((input) => input && depending.has(input))) {
      for (const output of node.outputs) depending.add(output);
    }
  }
  return depending;
}
