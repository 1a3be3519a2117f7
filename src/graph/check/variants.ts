import type { AdapterTraits } from '../../base/traits.ts';
import { variantsThatFit } from '../choices.ts';
import type { Graph, Node } from '../graph.ts';

/** Names of the variants of a node's op that fit it on an adapter, the one that is used first. */
export const fittingVariants = ({ op, inputs, outputs, attributes }: Node, traits: AdapterTraits): string[] =>
  variantsThatFit(op, { inputs, outputs, attributes, traits }).map(({ name }) => name);

/** The choices that together run every fitting variant of every node of a graph, with a name for messages. */
export function variantChoices(
  graph: Graph,
  traits: AdapterTraits,
): { readonly name: string; choose(node: Node): string | undefined }[] {
  const count = Math.max(1, ...graph.nodes.map((node) => fittingVariants(node, traits).length));
  return Array.from({ length: count }, (_, choice) => {
    const choose = (node: Node) => {
      const names = fittingVariants(node, traits);
      return names[Math.min(choice, names.length - 1)];
    };
    return { name: [...new Set(graph.nodes.map(choose))].filter(Boolean).join(', '), choose };
  });
}
