import { InternalError } from '../base/errors.ts';
import { bytesOfTensor, ceilDivide, channelsOf, rowsOf, type TensorType } from '../base/shape.ts';
import type { AdapterTraits } from '../base/traits.ts';
import type { Operand } from './definition.ts';

const MAX_GROUPS = 65535;

/** Lanes side by side in a workgroup that work on neighbouring channels. */
export const LANES = 8;

/** Elements per lane: 4 where all rows of all operands can be read four at once, else 1. */
export function vectorWidth(...operands: (Operand | undefined)[]): 1 | 4 {
  const fits = operands.every(
    (operand) =>
      !operand || (channelsOf(operand.shape) % 4 === 0 && operand.offset % 4 === 0 && operand.stride % 4 === 0),
  );
  return fits ? 4 : 1;
}

/** The WGSL type that `width` elements are computed with, however they are stored. */
export const vectorType = (width: 1 | 4): string => (width === 4 ? 'vec4f' : 'f32');

/** Uniforms `xOffset` and `xStride` of an operand named x, in units of `width` elements. */
export function placement(name: string, operand: Operand, width: 1 | 4): Record<string, number> {
  return { [`${name}Offset`]: operand.offset / width, [`${name}Stride`]: operand.stride / width };
}

export interface ChannelGrid {
  readonly constants: { LANES: number; ROWS: number };
  readonly uniforms: { channels: number; rows: number; chunkRows: number };
  readonly workgroups: [number, number, number];
  /** Runs of consecutive rows, one to a lane: the partial results of a reduction over rows. */
  readonly chunks: number;
}

/**
 * The grid of kernels whose lanes are channels and whose loop runs over a chunk of rows (pixels): on a software
 * adapter few long loops, on a GPU many short ones. `shaders/lib/rows.wgsl` is its other half.
 */
function channelGrid(rows: number, channels: number, traits: AdapterTraits, reduces = false): ChannelGrid {
  const rowsOfLanes = traits.kind === 'hardware' ? 8 : 1;
  const columns = ceilDivide(channels, LANES);
  // The partial results of a reduction have to be merged.
  const onGpu = reduces ? 8192 : 16384;
  const wanted = Math.max(1, (traits.kind === 'hardware' ? onGpu : 32) / columns);
  const chunkRows = Math.max(reduces ? 16 : 4, ceilDivide(rows, wanted));
  const chunks = ceilDivide(rows, chunkRows);
  return {
    constants: { LANES, ROWS: rowsOfLanes },
    uniforms: { channels, rows, chunkRows },
    workgroups: [columns, ...spread(ceilDivide(chunks, rowsOfLanes))],
    chunks,
  };
}

/** The grid over an operand's rows and channels, `width` elements to a lane. */
export const gridOf = (type: TensorType, width: number, traits: AdapterTraits, reduces = false): ChannelGrid =>
  channelGrid(rowsOf(type.shape), channelsOf(type.shape) / width, traits, reduces);

/**
 * How a GPU merges `partials` of `columns` results each: a column of lanes for each result, where there are so few results
 * that one lane for each would leave the GPU idle while it waits for one partial after the other. Elsewhere undefined.
 */
export function mergingLanes(
  partials: number,
  columns: number,
  { kind }: AdapterTraits,
): { LANES: number; RUNS: number } | undefined {
  return kind === 'hardware' && partials >= 16 && columns <= 4096 ? { LANES, RUNS: 32 } : undefined;
}

/** Spreads a count of workgroups over two dimensions of at most 65,535; shaders skip those past the end. */
export function spread(groups: number): [number, number] {
  if (groups <= MAX_GROUPS) return [groups, 1];
  const rows = ceilDivide(groups, MAX_GROUPS);
  if (rows > MAX_GROUPS) throw new InternalError(`${groups} workgroups do not fit a dispatch`);
  return [ceilDivide(groups, rows), rows];
}

/** Bytes of all operands, each moved once. */
export const bytesOf = (...types: (TensorType | undefined)[]): number =>
  types.reduce((sum, type) => sum + (type ? bytesOfTensor(type) : 0), 0);
