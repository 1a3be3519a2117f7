import type { Graph, Tensor } from '../graph.ts';
import { fuseAccumulation } from './accumulate.ts';
import { deferCorrections } from './defer-corrections.ts';
import { fuseEpilogues } from './epilogue.ts';
import { activateOutputs, addToOutputs, normaliseOutputs } from './output.ts';
import { poolBeforeConvolution } from './pool-before-convolution.ts';
import { fusePrologues } from './prologue.ts';
import { removeUnused } from './remove-unused.ts';
import { shareMoments } from './share-moments.ts';
import { splitImages } from './split-images.ts';

/** Rewrites of a graph that keep its results, by name; each can be switched off. */
export const passes = {
  'pool-before-convolution': poolBeforeConvolution,
  'share-moments': shareMoments,
  accumulate: fuseAccumulation,
  'normalise-output': normaliseOutputs,
  'add-to-output': addToOutputs,
  'activate-output': activateOutputs,
  prologue: fusePrologues,
  epilogue: fuseEpilogues,
  'defer-corrections': deferCorrections,
} as const;

export type PassName = keyof typeof passes;

/**
 * Runs the passes on a whole graph (forward and backward), drops what nobody reads, and cuts what is left where operands
 * are larger than `maxBindingBytes`. `kept`: results.
 */
export function optimise(
  graph: Graph,
  kept: ReadonlySet<Tensor>,
  without: readonly PassName[] = [],
  maxBindingBytes = Number.POSITIVE_INFINITY,
): void {
  removeUnused(graph, kept);
  for (const [name, pass] of Object.entries(passes)) {
    if (!without.includes(name as PassName)) pass(graph, kept);
  }
  splitImages(graph, kept, maxBindingBytes);
}
