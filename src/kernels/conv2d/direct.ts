import { ceilDivide } from '../../base/shape.ts';
import { activationRange } from '../activation.ts';
import type { Launch, Operand } from '../definition.ts';
import { spread } from '../launch.ts';
import { type Conv2dAttributes, type Geometry, strideAndPadding } from './geometry.ts';
import { outputUniforms } from './operands.ts';

const LANES = 64;

/** What the three directions of the direct kernel have in common. */
export interface DirectLaunch {
  readonly entry: 'forward' | 'data_gradient' | 'weight_gradient';
  readonly results: number;
  readonly geometry: Geometry;
  readonly attributes: Conv2dAttributes;
  readonly libraries: readonly string[];
  readonly bindings: Readonly<Record<string, Operand>>;
  /** x or dx, w or dw, y or dy: their places become uniforms. */
  readonly x: Operand;
  readonly w: Operand;
  readonly y: Operand;
  /** Those of the forward launch alone. */
  readonly uniforms?: Readonly<Record<string, number>>;
  readonly accumulate?: boolean;
}

/** One thread per result: any sizes, any groups. */
export function directLaunch(launch: DirectLaunch): Launch {
  const { geometry, attributes, x, w, y } = launch;
  const groups = spread(ceilDivide(launch.results, LANES));
  return {
    shader: 'conv2d_direct.wgsl',
    entry: launch.entry,
    libraries: launch.libraries,
    constants: { LANES },
    bindings: launch.bindings,
    uniforms: {
      ...geometry,
      groups: attributes.groups,
      ...strideAndPadding(attributes),
      xOffset: x.offset,
      xStride: x.stride,
      wOffset: w.offset,
      biasOffset: 0,
      yOffset: y.offset,
      yStride: y.stride,
      accumulate: launch.accumulate ? 1 : 0,
      ...activationRange(attributes.prologue ?? 'none'),
      ...outputUniforms(undefined, attributes, 1),
      ...launch.uniforms,
    },
    workgroups: [...groups, 1],
  };
}
