import { required } from '../../base/errors.ts';
import { rowsOf } from '../../base/shape.ts';
import { conv2d, conv2dDataGradient, conv2dWeightGradient } from '../../kernels/conv2d/index.ts';
import { avgPool2d, avgPool2dGradient } from '../../kernels/pool2d/index.ts';
import { type Graph, type Node, readersOf, type Tensor } from '../graph.ts';
import { replaceOutput } from './epilogue.ts';
import { removeUnused } from './remove-unused.ts';

/**
 * Average pooling and a 1x1 convolution without bias commute, and so do their gradients: pooling first, the convolution
 * computes as many times fewer pixels as the pool has outputs fewer than inputs, in all three directions.
 */
export function poolBeforeConvolution(graph: Graph, kept: ReadonlySet<Tensor>): void {
  const readers = readersOf(graph.nodes);
  const weights = new Set<Tensor>();
  const pools: Node[] = [];
  const replaced = new Map<Node, Node[]>();
  for (const node of graph.nodes) {
    graph.scope = node.scope;
    const [x, dy] = node.inputs;
    const source = x?.producer;
    if (node.op === avgPool2d && source && shrinks(node) && isPointwise(source)) {
      if (kept.has(x) || readers.get(x)?.length !== 1) continue;
      const [pool, convolution] = poolFirst(graph, node, source);
      pools.push(pool);
      weights.add(required(source.inputs[1], 'conv2d: weight'));
      replaced.set(node, [pool, convolution]);
    } else if (node.op === conv2dWeightGradient && dy?.producer?.op === avgPool2dGradient && isPointwise(node)) {
      const { xShape: _, ...window } = dy.producer.attributes;
      const pool = pools.find(({ inputs, attributes }) => inputs[0] === x && sameAttributes(attributes, window));
      if (pool) replaced.set(node, weightGradientOfPooled(graph, node, dy.producer));
    } else if (node.op === conv2dDataGradient && source?.op === avgPool2dGradient && isPointwise(node)) {
      if (weights.has(required(node.inputs[1], 'weight'))) replaced.set(node, gradientFirst(graph, node, source));
    }
  }
  graph.scope = '';
  graph.nodes = graph.nodes.flatMap((node) => replaced.get(node) ?? [node]);
  if (replaced.size > 0) removeUnused(graph, kept);
}

const shrinks = ({ inputs: [x], outputs: [y] }: Node): boolean => rowsOf(y?.shape ?? []) < rowsOf(x?.shape ?? []);

const sameAttributes = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Whether a node is a 1x1 convolution, or a gradient of one, of nothing but an input and a weight. */
function isPointwise({ op, inputs: [, weight, ...others], attributes }: Node): boolean {
  if (op !== conv2d && op !== conv2dDataGradient && op !== conv2dWeightGradient) return false;
  const [kernelHeight, kernelWidth] = op === conv2dWeightGradient ? attributes.weightShape : (weight?.shape ?? []);
  const { stride, padding } = attributes;
  const plain = kernelHeight === 1 && kernelWidth === 1 && others.every((other) => other === undefined);
  return plain && [...stride, ...padding].join() === '1,1,0,0';
}

/** The pool of the convolution's input, and the convolution of that. */
function poolFirst(graph: Graph, pool: Node, conv: Node): [Node, Node] {
  const [x, ...others] = conv.inputs;
  const first = graph.createNode(avgPool2d, [x], pool.attributes);
  const second = graph.createNode(conv2d, [first.outputs[0], ...others], conv.attributes);
  replaceOutput(second, 0, required(pool.outputs[0], 'avg_pool2d: y'));
  return [first, second];
}

/** The weight's gradient, for which the input is pooled again: the pooled map would have to be kept until then. */
function weightGradientOfPooled(graph: Graph, gradient: Node, pool: Node): Node[] {
  const { xShape: _, ...attributes } = pool.attributes;
  const [first] = graph.createNode(avgPool2d, [gradient.inputs[0]], attributes).outputs as [Tensor];
  gradient.inputs = [first, pool.inputs[0], ...gradient.inputs.slice(2)];
  return [required(first.producer, 'avg_pool2d'), gradient];
}

/** The convolution's gradient from that of the pool's result, and the pool's gradient of that. */
function gradientFirst(graph: Graph, gradient: Node, pool: Node): Node[] {
  const { xShape } = gradient.attributes;
  const [dy] = pool.inputs as [Tensor];
  const [, height = 0, width = 0] = dy.shape;
  const smallShape = [xShape[0], height, width, xShape[3]];
  const first = graph.createNode(conv2dDataGradient, [dy, gradient.inputs[1]], {
    ...gradient.attributes,
    xShape: smallShape,
  });
  const second = graph.createNode(avgPool2dGradient, [first.outputs[0]], { ...pool.attributes, xShape });
  replaceOutput(second, 0, required(gradient.outputs[0], 'conv2d_data_gradient: dx'));
  return [first, second];
}
