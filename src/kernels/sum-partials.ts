import { ceilDivide, elementCount } from '../base/shape.ts';
import type { AdapterTraits } from '../base/traits.ts';
import type { Launch, Operand } from './definition.ts';
import { mergingLanes, spread, vectorType } from './launch.ts';

/** Sums `count` partial results, each of the size of `result`, which is contiguous. */
export function sumPartials(partials: Operand, result: Operand, count: number, traits: AdapterTraits): Launch {
  const size = elementCount(result.shape);
  const width = size % 4 === 0 && result.offset % 4 === 0 ? 4 : 1;
  const together = mergingLanes(count, size / width, traits);
  const lanes = together?.LANES ?? 64;
  return {
    shader: 'sum_partials.wgsl',
    entry: together ? 'sum_partials_together' : 'sum_partials',
    constants: { T: vectorType(width), LANES: lanes, ...together },
    bindings: { partials, result },
    uniforms: { count: size / width, partials: count, resultOffset: result.offset / width },
    workgroups: [...spread(ceilDivide(size / width, lanes)), 1],
  };
}
