import { required } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { elementCount } from '../../base/shape.ts';
import { casesOf } from '../../kernels/cases.ts';
import { type Element, type ReferenceTensor, toleranceOf } from '../../kernels/reference.ts';
import type { Graph, Node, Tensor } from '../graph.ts';

export interface InterpretOptions {
  /** Takes every element of every result, with what its tolerance follows from. */
  readonly record?: Map<Tensor, Element[]>;
  /** Moves every result by up to its tolerance, as float32 might, before it is read. */
  readonly disturb?: Random;
}

/**
 * Runs a graph in float64 by the references of its ops. Returns the values of all tensors; those of an input that an op
 * mutates are the values afterwards.
 */
export function interpret(
  graph: Graph,
  inputs: ReadonlyMap<Tensor, ReferenceTensor>,
  options: InterpretOptions = {},
): Map<Tensor, ReferenceTensor> {
  const values = new Map(inputs);
  for (const node of graph.nodes) {
    const operands = node.inputs.map((input) => input && required(values.get(input), input.name));
    const elementOf = casesOf(node.op).reference(operands, node.attributes);
    const results = resultsOf(node).map((tensor, output) =>
      evaluate(tensor, (index) => elementOf(output, index), options),
    );
    resultsOf(node).forEach((tensor, output) => {
      values.set(tensor, results[output] as ReferenceTensor);
    });
  }
  return values;
}

const resultsOf = ({ op, inputs, outputs }: Node): Tensor[] => [
  ...outputs,
  ...(op.mutates ?? []).map((slot) => required(inputs[slot], op.inputs[slot] ?? 'input')),
];

function evaluate(tensor: Tensor, elementAt: (index: number) => Element, options: InterpretOptions): ReferenceTensor {
  const { shape, dtype } = tensor;
  const count = elementCount(shape);
  const values = dtype === 'u32' ? new Uint32Array(count) : new Float64Array(count);
  const elements: Element[] = [];
  for (let index = 0; index < count; index++) {
    const element = elementAt(index);
    const moved = options.disturb && dtype !== 'u32' ? options.disturb.uniform(-1, 1) * toleranceOf(element, dtype) : 0;
    values[index] = element.value + moved;
    if (options.record) elements.push(element);
  }
  options.record?.set(tensor, elements);
  return { shape, dtype, values };
}
