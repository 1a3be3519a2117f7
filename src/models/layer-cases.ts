import { channelsOf, type DType, type TensorType } from '../base/shape.ts';
import type { AdapterTraits } from '../base/traits.ts';
import type { WrongVariant } from '../graph/choices.ts';
import { Graph, type Node } from '../graph/graph.ts';
import { optimise, type PassName } from '../graph/passes/index.ts';
import type { OpDefinition } from '../kernels/definition.ts';
import type { ModelDefinition } from './definition.ts';
import { Network } from './network.ts';
import { traceLoss } from './trace.ts';

/** One use of an op with the sizes it has in a network. */
export interface LayerCase {
  readonly op: OpDefinition;
  /** The first layer that uses it so, and the sizes. */
  readonly name: string;
  readonly inputs: readonly (TensorType | undefined)[];
  readonly attributes: unknown;
  /** Element types of the outputs, where they are not what the op's shape rule says. */
  readonly results?: readonly DType[];
}

/** A layer's op as a graph of its own, with the element types that its operands have in the network. */
export function traceLayer({ op, inputs: types, attributes, results: dtypes = [] }: LayerCase) {
  const graph = new Graph();
  const inputs = types.map((type, slot) => type && graph.input(`input ${slot}`, type.shape, type.dtype));
  const results = graph.emit(op, inputs, attributes);
  results.forEach((result, index) => {
    result.dtype = dtypes[index] ?? result.dtype;
  });
  return { graph, inputs, results };
}

/**
 * Every op of a training step's forward and backward pass with the sizes it has there, as the graph passes leave them;
 * each combination of sizes and attributes once, in the order of the step. `without`: passes to leave out. `traits`:
 * of the adapter whose plan it is; without them nothing is fused that only some adapters are better off with.
 * `wrong`: what that adapter computes wrong.
 */
export function layerCases(
  definition: ModelDefinition,
  { imageSize, batchSize }: { imageSize: number; batchSize: number },
  without: readonly PassName[] = [],
  traits?: AdapterTraits,
  wrong: readonly WrongVariant[] = [],
): LayerCase[] {
  const graph = new Graph();
  const step = graph.input('step', [1], 'u32');
  const network = new Network(graph, { training: true, step });
  const image = network.declarePadded(graph.input('image', [batchSize, imageSize, imageSize, 4]), 3);
  const targets = graph.input('targets', [batchSize]);
  const { loss, gradients } = traceLoss(network, definition, { image, targets, outputs: 1 });
  optimise(
    graph,
    new Set([loss, ...gradients.map(({ gradient }) => gradient)]),
    without,
    Number.POSITIVE_INFINITY,
    traits,
    wrong,
  );
  const cases = new Map<string, LayerCase>();
  for (const node of graph.nodes) {
    const layer = layerOf(node);
    const key = JSON.stringify([layer.op.name, layer.inputs, layer.attributes]);
    if (!cases.has(key)) cases.set(key, layer);
  }
  return [...cases.values()];
}

/** A node's op with its sizes, without the graph. */
export function layerOf(node: Node): LayerCase {
  const { op, inputs, outputs, attributes } = node;
  const types = inputs.map((input) => input && { shape: input.shape, dtype: input.dtype });
  return { op, name: nameOf(node), inputs: types, attributes, results: outputs.map(({ dtype }) => dtype) };
}

function nameOf({ op, scope, inputs, outputs }: Node): string {
  const largest = [...inputs, ...outputs].find((tensor) => tensor && tensor.shape.length === 4)?.shape ?? [];
  return `${op.name} of ${scope} (${largest.join('x')} -> ${channelsOf(outputs[0]?.shape ?? [])} channels)`;
}
