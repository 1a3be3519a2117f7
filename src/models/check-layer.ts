import { channelsOf, rowsOf, type Shape } from '../base/shape.ts';
import type { Device } from '../gpu/device.ts';
import { runGuarded } from '../graph/check/check-case.ts';
import { differences, valuesOf } from '../graph/check/compare.ts';
import type { Node, Tensor } from '../graph/graph.ts';
import type { OpDefinition } from '../kernels/definition.ts';
import { type CaseInput, type Element, toleranceOf } from '../kernels/reference.ts';
import { type LayerCase, traceLayer } from './layer-cases.ts';
import { edgePositions, layerInputs } from './layer-inputs.ts';
import { layerReference } from './layer-reference.ts';

interface Sampled {
  readonly index: number;
  readonly element: Element;
  readonly tolerance: number;
}

/**
 * What a layer is checked with: its inputs' values, and the elements of each result that are compared; results are the
 * op's outputs and then the inputs that it mutates.
 */
export interface LayerCheck {
  readonly layer: LayerCase;
  readonly values: readonly (CaseInput | undefined)[];
  readonly expected: readonly (readonly Sampled[])[];
}

function trace(layer: LayerCase, values: LayerCheck['values']) {
  const { graph, inputs, results } = traceLayer(layer);
  const written = new Map(
    inputs.flatMap((tensor, slot) => (tensor ? [[tensor, values[slot] as CaseInput] as const] : [])),
  );
  const mutated = (layer.op.mutates ?? []).map((slot) => inputs[slot] as Tensor);
  return { graph, results: [...results, ...mutated], values: written };
}

/** Positions of a result that are compared, however much each takes. */
const FEWEST = 16;

/**
 * The expected values at the edges of each result, one by one in float64. `mostFlops` bounds their arithmetic: of sums
 * over many elements fewer positions are compared, 16 at least.
 */
export function expectLayer(
  layer: LayerCase,
  values: LayerCheck['values'],
  mostFlops = Number.POSITIVE_INFINITY,
): LayerCheck['expected'] {
  const { graph, results } = trace(layer, values);
  const { flops } = layer.op.cost(graph.nodes[0] as Node);
  const elementOf = layerReference(layer, values);
  return results.map(({ shape, dtype }, output) => {
    const size = shape.reduce((product, one) => product * one, 1);
    const most = Math.max(FEWEST, Math.floor(mostFlops / Math.max(1, flops / size)));
    return fewer(edgePositions(shape), shape, most).map((index) => {
      const element = elementOf(output, index);
      return { index, element, tolerance: toleranceOf(element, dtype) };
    });
  });
}

/** At most so many of the positions; of a result of two rows both of a channel, which are computed together. */
function fewer(positions: readonly number[], shape: Shape, most: number): readonly number[] {
  if (positions.length <= most) return positions;
  const channels = channelsOf(shape);
  if (rowsOf(shape) !== 2) return spread(positions, most);
  const ofFirst = positions.filter((position) => position < channels);
  return spread(ofFirst, Math.floor(most / 2)).flatMap((position) => [position, position + channels]);
}

/** At most so many of the positions, evenly, the first and the last among them. */
function spread(positions: readonly number[], most: number): readonly number[] {
  if (positions.length <= most) return positions;
  const step = (positions.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, index) => positions[Math.round(index * step)] as number);
}

export function prepareCheck(layer: LayerCase, mostFlops?: number): LayerCheck {
  const values = layerInputs(layer);
  return { layer, values, expected: expectLayer(layer, values, mostFlops) };
}

const nameOfResult = ({ inputs, outputs, mutates = [] }: OpDefinition, result: number): string | undefined =>
  outputs[result] ?? inputs[mutates[result - outputs.length] ?? -1];

function countNaN(values: Float32Array | Uint32Array): number {
  let count = 0;
  for (const value of values) if (Number.isNaN(value)) count++;
  return count;
}

/**
 * Runs one variant of a layer's op, between guard words and in buffers full of NaN. Returns a line for each of the first
 * elements that differ, for elements that are not written, and for each guard that was overwritten; nothing where all is
 * well. Throws where it does not compile.
 */
export async function checkLayer(
  device: Device,
  { layer, values, expected }: LayerCheck,
  variant: string,
): Promise<string[]> {
  const traced = trace(layer, values);
  const choose = ({ op }: Node) => (op === layer.op ? variant : undefined);
  const run = await runGuarded({ device, ...traced, choose });
  const lines = run.overruns.map((line) => `${layer.name} (${variant}): ${line}`);
  traced.results.forEach((tensor: Tensor, output) => {
    const label = `${layer.name} (${variant}): ${nameOfResult(layer.op, output)}`;
    const bytes = run.results.get(tensor) as ArrayBuffer;
    lines.push(...differences(label, tensor.dtype, bytes, expected[output] ?? []));
    const unwritten = countNaN(valuesOf(bytes, tensor.dtype));
    if (unwritten > 0) lines.push(`${label}: ${unwritten} elements are NaN`);
  });
  return lines;
}
