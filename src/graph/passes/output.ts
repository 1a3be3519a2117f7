import { required } from '../../base/errors.ts';
import type { Activation } from '../../kernels/activation.ts';
import { batchNormApply } from '../../kernels/batch-norm/index.ts';
import { activate, add } from '../../kernels/elementwise.ts';
import { type Graph, type Node, readersOf, type Tensor } from '../graph.ts';
import { replaceOutput } from './epilogue.ts';

/** What a node can do by itself while it writes the tensor that another reads: the inputs it then takes, and attributes. */
interface Fusion {
  readonly producer: Node;
  readonly inputs: readonly (readonly [slot: number, tensor: Tensor])[];
  readonly activation?: Activation;
}

/**
 * A normalisation by running statistics is applied while its input is written, where nobody else reads that: in
 * evaluation alone, since a batch's statistics are known only afterwards.
 */
export const normaliseOutputs = (graph: Graph, kept: ReadonlySet<Tensor>): void =>
  fuseOutputs(graph, kept, (node, free) => {
    const [x, , affine, residual] = node.inputs;
    if (node.op !== batchNormApply || node.attributes.training || residual || !x || !affine) return undefined;
    const producer = free(x);
    const slot = producer?.op.output?.affine;
    if (!producer || slot === undefined || producer.inputs[slot]) return undefined;
    return { producer, inputs: [[slot, affine]], activation: node.attributes.activation };
  });

/** The sum that ends a residual block is computed while one of its parts is normalised. */
export const addToOutputs = (graph: Graph, kept: ReadonlySet<Tensor>): void =>
  fuseOutputs(graph, kept, ({ op, inputs: [a, b] }, free) => {
    if (op !== add || !a || !b || a === b) return undefined;
    for (const [part, residual] of [
      [a, b],
      [b, a],
    ] as const) {
      const producer = free(part);
      const { affine, residual: slot } = producer?.op.output ?? {};
      if (!producer || slot === undefined || producer.inputs[slot]) continue;
      if (affine === undefined || producer.inputs[affine]) return { producer, inputs: [[slot, residual]] };
    }
    return undefined;
  });

/** An activation is applied while its input is written. */
export const activateOutputs = (graph: Graph, kept: ReadonlySet<Tensor>): void =>
  fuseOutputs(graph, kept, ({ op, inputs: [x], attributes }, free) => {
    const producer = op === activate && x ? free(x) : undefined;
    return producer?.op.output ? { producer, inputs: [], activation: attributes.activation } : undefined;
  });

/**
 * Replaces each node for which `find` finds a fusion by its producer, which then writes the node's output. A producer is
 * `free` where the node is the only reader of what it writes and it does not activate that yet.
 */
function fuseOutputs(
  graph: Graph,
  kept: ReadonlySet<Tensor>,
  find: (node: Node, free: (tensor: Tensor) => Node | undefined) => Fusion | undefined,
): void {
  const readers = readersOf(graph.nodes);
  const free = (tensor: Tensor): Node | undefined => {
    const { producer } = tensor;
    const alone = producer?.outputs[0] === tensor && readers.get(tensor)?.length === 1 && !kept.has(tensor);
    return alone && (producer.attributes.activation ?? 'none') === 'none' ? producer : undefined;
  };
  const moved = new Set<Node>();
  const nodes = graph.nodes.map((node) => {
    const fusion = find(node, free);
    if (!fusion) return node;
    const { producer, inputs, activation } = fusion;
    moved.add(producer);
    const operands = [...producer.inputs];
    for (const [slot, tensor] of inputs) operands[slot] = tensor;
    graph.scope = producer.scope;
    const attributes = activation ? { ...producer.attributes, activation } : producer.attributes;
    const fused = graph.createNode(producer.op, operands, attributes);
    graph.scope = '';
    for (const [index, output] of producer.outputs.entries()) if (index > 0) replaceOutput(fused, index, output);
    replaceOutput(fused, 0, required(node.outputs[0], 'the output'));
    return fused;
  });
  graph.nodes = nodes.filter((node) => !moved.has(node));
}
