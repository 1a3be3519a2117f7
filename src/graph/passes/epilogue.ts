import { required } from '../../base/errors.ts';
import { rowsOf } from '../../base/shape.ts';
import type { AdapterTraits } from '../../base/traits.ts';
import {
  batchNormCoefficients,
  batchNormCorrection,
  batchNormDataGradient,
  batchNormWeightGradient,
} from '../../kernels/batch-norm/index.ts';
import { type Graph, type Node, readersOf, type Tensor } from '../graph.ts';

interface Gradients {
  /** Writes dz, the gradient of the normalised and activated map. */
  readonly source: Node;
  readonly weight: Node;
  readonly data: Node;
}

/**
 * The gradient of a normalisation and its activation is computed by the op that writes dz, where that op offers it and is
 * right on the adapter, and nobody else reads dz, which then never exists in memory. What the batch's statistics add is
 * known only after that: a correction of its own.
 */
export function fuseEpilogues(
  graph: Graph,
  kept: ReadonlySet<Tensor>,
  _traits: AdapterTraits | undefined,
  isRight: (node: Node) => boolean,
): void {
  const readers = readersOf(graph.nodes);
  const position = new Map(graph.nodes.map((node, index) => [node, index]));
  const replaced = new Map<Node, readonly Node[]>();
  for (const data of graph.nodes) {
    const found = data.op === batchNormDataGradient ? gradientsEndingIn(data, readers, kept) : undefined;
    if (!found) continue;
    const end = position.get(data) ?? 0;
    const early = readers.get(found.weight.outputs[0] as Tensor)?.some((reader) => (position.get(reader) ?? 0) < end);
    const nodes = early ? undefined : fuse(graph, found, isRight);
    if (nodes) replaced.set(found.source, []).set(found.weight, []).set(data, nodes);
  }
  graph.nodes = graph.nodes.flatMap((node) => replaced.get(node) ?? [node]);
}

function gradientsEndingIn(
  data: Node,
  readers: ReadonlyMap<Tensor, readonly Node[]>,
  kept: ReadonlySet<Tensor>,
): Gradients | undefined {
  const [dz, x, affine, dweight] = data.inputs;
  const [source, weight] = [dz?.producer, dweight?.producer];
  if (!dz || !source || weight?.op !== batchNormWeightGradient || kept.has(dz)) return undefined;
  const { epilogue, accumulates } = source.op;
  if (!epilogue?.fits(source) || (accumulates !== undefined && source.inputs[accumulates])) return undefined;
  const onlyReaders = readers.get(dz)?.every((reader) => reader === weight || reader === data);
  const same = [dz, x, affine].every((tensor, slot) => weight.inputs[slot] === tensor);
  return onlyReaders && same ? { source, weight, data } : undefined;
}

/**
 * The nodes that take the place of a data gradient; the tensors that others read stay the same. Undefined where not all
 * of them are right.
 */
function fuse(graph: Graph, { source, weight, data }: Gradients, isRight: (node: Node) => boolean): Node[] | undefined {
  const [, x, affine, dweight, into] = data.inputs as [Tensor, Tensor, Tensor, Tensor, Tensor | undefined];
  const sources = source.inputs.filter((_, slot) => slot !== source.op.accumulates);
  graph.scope = data.scope;
  const { op } = required(source.op.epilogue, 'epilogue');
  const node = graph.createNode(op, [...sources, x, affine, into], { ...source.attributes, ...data.attributes });
  const nodes = [node];
  if (data.attributes.training) {
    const coefficients = graph.createNode(batchNormCoefficients, [dweight, affine, undefined], {
      count: rowsOf(x.shape),
    });
    const inputs = [node.outputs[0], x, affine, coefficients.outputs[0]];
    nodes.push(coefficients, graph.createNode(batchNormCorrection, inputs, {}));
  }
  graph.scope = '';
  if (!nodes.every(isRight)) return undefined;
  replaceOutput(node, 1, required(weight.outputs[0], 'dweight'));
  replaceOutput(nodes[nodes.length - 1] as Node, 0, required(data.outputs[0], 'dx'));
  return nodes;
}

/** Makes a node write a tensor that another one wrote. */
export function replaceOutput(node: Node, output: number, tensor: Tensor): void {
  node.outputs[output] = tensor;
  tensor.producer = node;
}
