import type { Operand } from '../definition.ts';
import type { Geometry } from './geometry.ts';

export interface GradientOperands {
  readonly dy: Operand;
  readonly w: Operand;
  readonly dx: Operand;
  readonly geometry: Geometry;
  readonly accumulate: boolean;
}

/** What is done with a data gradient before it is stored: what it adds to a launch. */
export interface Epilogue {
  readonly libraries: readonly string[];
  readonly bindings: Readonly<Record<string, Operand>>;
  /** xOffset, xStride, low and high. */
  readonly uniforms: Readonly<Record<string, number>>;
}

const store = (...libraries: readonly string[]): Epilogue => ({
  libraries,
  bindings: {},
  uniforms: { xOffset: 0, xStride: 0, low: 0, high: 0 },
});

/** Nothing, for the shaders that work on pixels or on tiles. */
export const NO_EPILOGUE = {
  pixels: store('lib/epilogue_none_pixels.wgsl'),
  tiles: store('lib/epilogue_none_tiles.wgsl', 'lib/tile_columns_none.wgsl'),
};
