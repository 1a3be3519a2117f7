import { required } from '../base/errors.ts';
import { channelsOf, elementCount, rowsOf, type Shape } from '../base/shape.ts';
import { throughBatchNorm } from '../kernels/batch-norm/epilogue.reference.ts';
import { withMomentsOfFirst } from '../kernels/batch-norm/moments.reference.ts';
import { casesOf } from '../kernels/cases.ts';
import type { OpDefinition } from '../kernels/definition.ts';
import { ops } from '../kernels/index.ts';
import type { CaseInput, Element, ElementOf, ReferenceTensor } from '../kernels/reference.ts';
import type { LayerCase } from './layer-cases.ts';

type Values = readonly (CaseInput | undefined)[];

/**
 * An op's float64 reference for sizes of which a few elements are compared. Those of fused ops compute a whole map before
 * the first element: here each computes no more than its own element, or its own channel where it is a sum over one.
 */
export function layerReference({ op, attributes }: LayerCase, values: Values): ElementOf {
  const gathering = ops.find(({ moments }) => moments?.op === op);
  if (gathering) return momentsReference(op, gathering, values, attributes);
  const passingOn = ops.find(({ epilogue }) => epilogue?.op === op);
  if (passingOn) return epilogueReference(op, passingOn, values, attributes);
  return casesOf(op).reference(values, attributes);
}

/** See MomentsEpilogue. */
function momentsReference(op: OpDefinition, first: OpDefinition, values: Values, attributes: unknown): ElementOf {
  const elementOf = casesOf(first).reference(values, attributes);
  const shape = required(op.shape(values, attributes)[0], op.name).shape;
  const [channels, last] = [channelsOf(shape), op.outputs.length - 1];
  const ofChannels = pairOfRows(channels, (channel) =>
    withMomentsOfFirst((_, row) => elementOf(0, row * channels + channel), [rowsOf(shape), 1], last),
  );
  return (output, index) => (output === last ? ofChannels(last, index) : elementOf(output, index));
}

/** See BatchNormEpilogue. */
function epilogueReference(op: OpDefinition, first: OpDefinition, values: Values, attributes: unknown): ElementOf {
  const [x, affine, into] = values.slice(op.inputs.length - 3);
  const sources = values.slice(0, op.inputs.length - 3);
  if (first.accumulates !== undefined) sources.splice(first.accumulates, 0, undefined);
  const gradient = casesOf(first).reference(sources, attributes);
  const maps = [required(x, 'x'), required(affine, 'affine'), into];
  const channels = channelsOf(maps[0]?.shape ?? []);
  /** Of `count` rows of one channel, from `row` on. */
  const part = (channel: number, row: number, count: number): ElementOf => {
    const at = row * channels + channel;
    const inputs = maps.map((map, slot) => map && columnOf(map, slot === 1 ? channel : at, slot === 1 ? 4 : count));
    // biome-ignore lint/suspicious/noExplicitAny: the attributes of both ops
    return throughBatchNorm((place) => gradient(0, at + place * channels), inputs, attributes as any);
  };
  const rows = rowsOf(maps[0]?.shape ?? []);
  const ofChannels = pairOfRows(channels, (channel) => part(channel, 0, rows));
  return (output, index) =>
    output === 0 ? part(index % channels, Math.floor(index / channels), 1)(0, 0) : ofChannels(output, index);
}

/** Elements of a result of two rows, both of a channel from a reference of the channel alone, which is made once. */
function pairOfRows(channels: number, ofChannel: (channel: number) => ElementOf): ElementOf {
  const known = new Map<number, readonly Element[]>();
  return (output, index) => {
    const channel = index % channels;
    const elementOf = known.has(channel) ? undefined : ofChannel(channel);
    if (elementOf) known.set(channel, [elementOf(output, 0), elementOf(output, 1)]);
    return required(known.get(channel)?.[Math.floor(index / channels)], 'element');
  };
}

/** A map of one channel: every `channels`-th number of a map. */
function columnOf({ shape, dtype, values }: CaseInput, start: number, count: number): ReferenceTensor {
  const channels = channelsOf(shape);
  const column: Shape = [count, 1];
  return {
    shape: column,
    dtype,
    values: Float64Array.from({ length: elementCount(column) }, (_, row) => values[start + row * channels] as number),
  };
}
