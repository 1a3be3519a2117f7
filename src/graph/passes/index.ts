import type { AdapterTraits } from '../../base/traits.ts';
import { rightVariants, type WrongVariant } from '../choices.ts';
import type { Graph, Node, Tensor } from '../graph.ts';
import { fuseAccumulation } from './accumulate.ts';
import { deferCorrections } from './defer-corrections.ts';
import { copyParts, separateActivations } from './eager.ts';
import { fuseEpilogues } from './epilogue.ts';
import { fuseMoments } from './moments-epilogue.ts';
import { activateOutputs, addToOutputs, normaliseOutputs } from './output.ts';
import { poolBeforeConvolution } from './pool-before-convolution.ts';
import { fusePrologues } from './prologue.ts';
import { removeUnused } from './remove-unused.ts';
import { shareMoments } from './share-moments.ts';
import { splitImages } from './split-images.ts';
import { storeHalves } from './store-halves.ts';

/** Rewrites of a graph that keep its results, by name, in their order. */
const rewrites = {
  'pool-before-convolution': poolBeforeConvolution,
  'share-moments': shareMoments,
  accumulate: fuseAccumulation,
  'moments-epilogue': fuseMoments,
  'normalise-output': normaliseOutputs,
  'add-to-output': addToOutputs,
  'activate-output': activateOutputs,
  prologue: fusePrologues,
  epilogue: fuseEpilogues,
  'defer-corrections': deferCorrections,
} as const;

export type PassName = 'activation' | keyof typeof rewrites | 'free-concat';

/** Everything by which a plan differs from op after op, as a framework without a graph runs them; each can be left out. */
export const passNames: readonly PassName[] = [
  'activation',
  ...(Object.keys(rewrites) as (keyof typeof rewrites)[]),
  'free-concat',
];

/**
 * Runs the passes on a whole graph (forward and backward), drops what nobody reads, stores maps in f16 where the adapter
 * was opened for it, and cuts what is left where operands are larger than `maxBindingBytes`. `kept`: results. A trace has
 * activations in their normalisations, and concatenations that cost nothing where their parts can be written side by side;
 * without these "passes" it is taken apart.
 * `traits`: the adapter that the plan is for; without it, nothing is fused that only some adapters are better off with.
 * `wrong`: what it computes wrong; an op that nothing but a fusion brings in, and that no variant is right of, is left out.
 */
export function optimise(
  graph: Graph,
  kept: ReadonlySet<Tensor>,
  without: readonly PassName[] = [],
  maxBindingBytes = Number.POSITIVE_INFINITY,
  traits?: AdapterTraits,
  wrong: readonly WrongVariant[] = [],
): void {
  const isRight = (node: Node) => !traits || rightVariants(node.op, { ...node, traits }, wrong).length > 0;
  removeUnused(graph, kept);
  if (without.includes('activation')) separateActivations(graph);
  for (const [name, pass] of Object.entries(rewrites)) {
    if (!without.includes(name as PassName)) pass(graph, kept, traits, isRight);
  }
  if (without.includes('free-concat')) copyParts(graph);
  if (traits?.storesHalves) storeHalves(graph, kept);
  splitImages(graph, kept, maxBindingBytes);
}
