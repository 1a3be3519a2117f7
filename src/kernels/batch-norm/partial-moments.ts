import { ceilDivide, channelsOf, type TensorType } from '../../base/shape.ts';
import type { AdapterTraits } from '../../base/traits.ts';
import { f32, type Launch, type Operand } from '../definition.ts';
import { LANES, mergingLanes, placement, vectorType, vectorWidth } from '../launch.ts';

/** What a kernel is specialised with so that it gathers the moments of what it writes, or does not. */
interface MomentsGathering {
  readonly libraries: readonly string[];
  readonly constants: Readonly<Record<string, number>>;
  readonly bindings: Readonly<Record<string, Operand>>;
}

/**
 * Where there are `partials`, every lane gathers the moments of what it writes: `summed` vectors of a row, where `parts`
 * lanes of a workgroup write the same channels.
 */
export const gathering = (partials: Operand | undefined, { summed = 1, parts = 1 } = {}): MomentsGathering =>
  partials
    ? {
        libraries: ['lib/moments_apart.wgsl'],
        constants: { SUMMED: summed, PARTS: parts },
        bindings: { partials },
      }
    : { libraries: ['lib/moments_none.wgsl'], constants: {}, bindings: {} };

/** Scratch for the moments of `count` parts: rows count, mean and M2. */
export const partialMoments = (count: number, channels: number): TensorType => f32(count, 3, channels);

/** Merges partial moments: partials [P,3,C] -> moments [1,1,2,C] (mean, biased variance). */
export function mergePartials(partials: Operand, moments: Operand, traits: AdapterTraits): Launch {
  const width = vectorWidth(moments);
  const channels = channelsOf(moments.shape) / width;
  const count = partials.shape[0] ?? 0;
  const together = mergingLanes(count, channels, traits);
  return {
    shader: 'batch_norm_merge_partials.wgsl',
    libraries: ['lib/moments_merge.wgsl'],
    entry: together ? 'merge_partials_together' : 'merge_partials',
    constants: { T: vectorType(width), LANES, ...together },
    bindings: { partials, moments },
    uniforms: { channels, partials: count, ...placement('moments', moments, width) },
    workgroups: [ceilDivide(channels, LANES), 1, 1],
  };
}
