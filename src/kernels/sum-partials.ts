import { ceilDivide, elementCount } from '../base/shape.ts';
import type { Launch, Operand } from './definition.ts';
import { spread, vectorType } from './launch.ts';

const LANES = 64;

/** Sums `count` partial results, each of the size of `result`, which is contiguous. */
export function sumPartials(partials: Operand, result: Operand, count: number): Launch {
  const size = elementCount(result.shape);
  const width = size % 4 === 0 && result.offset % 4 === 0 ? 4 : 1;
  return {
    shader: 'sum_partials.wgsl',
    entry: 'sum_partials',
    constants: { T: vectorType(width), LANES },
    bindings: { partials, result },
    uniforms: { count: size / width, partials: count, resultOffset: result.offset / width },
    workgroups: [...spread(ceilDivide(size / width, LANES)), 1],
  };
}
