import { required } from '../../base/errors.ts';
import { concatImages, narrowImages } from '../../kernels/concat.ts';
import type { ImageRange } from '../../kernels/definition.ts';
import type { Graph, Node, Tensor } from '../graph.ts';
import { imageParts, imageRanges, partsOfNode } from './image-parts.ts';

/** A tensor that holds some of the images of another one. */
interface Part {
  readonly range: ImageRange;
  readonly tensor: Tensor;
}

/**
 * Cuts batches that are larger than `maxBytes`, which an adapter cannot bind at once, into ranges of images, and nodes
 * that read or write them into one node a range. What a node reduces over the images is combined in their order. A
 * tensor that fits stays whole: ranges of it are views, and results of ranges are written into it side by side.
 * Runs last, on what the other passes have left: what is fused is never stored and need not fit.
 * The graph stays as it is where everything fits.
 */
export function splitImages(graph: Graph, kept: ReadonlySet<Tensor>, maxBytes: number): void {
  const parts = imageParts(graph, kept, maxBytes);
  if (parts.size > 0) new Splitter(graph, parts).split();
}

class Splitter {
  readonly #graph: Graph;
  readonly #parts: ReadonlyMap<Tensor, number>;
  readonly #nodes: Node[] = [];
  /** What takes the place of a tensor that is cut. */
  readonly #stored = new Map<Tensor, readonly Part[]>();
  readonly #views = new Map<Tensor, Part[]>();
  readonly #joined = new Map<Tensor, Tensor>();

  constructor(graph: Graph, parts: ReadonlyMap<Tensor, number>) {
    this.#graph = graph;
    this.#parts = parts;
  }

  split(): void {
    for (const node of this.#graph.nodes) {
      this.#graph.scope = node.scope;
      const count = partsOfNode(node, this.#parts);
      if (count === 1) {
        node.inputs = node.inputs.map((input) => input && this.#whole(input));
        this.#nodes.push(node);
      } else {
        this.#splitNode(node, count);
      }
    }
    this.#graph.scope = '';
    this.#graph.nodes = this.#nodes;
  }

  #splitNode(node: Node, count: number): void {
    const { whole, combine, attributes } = required(node.op.images, node.op.name);
    const cut = [...node.inputs, ...node.outputs].find((tensor) => tensor && this.#parts.has(tensor));
    const ranges = imageRanges(required(cut?.shape[0], 'images'), count);
    // All views come before the first of the nodes, which may change what they look at in place.
    const inputs = ranges.map((range) =>
      node.inputs.map(
        (input, slot) => input && (whole?.includes(slot) ? this.#whole(input) : this.#read(input, range)),
      ),
    );
    const results: Part[][] = node.outputs.map(() => []);
    const combined: Tensor[] = [];
    ranges.forEach((range, index) => {
      const ofRange = attributes?.(node.attributes, range, node.inputs) ?? node.attributes;
      const { outputs } = this.#place(this.#graph.createNode(node.op, inputs[index] ?? [], ofRange));
      outputs.forEach((tensor, output) => {
        tensor.dtype = (node.outputs[output] as Tensor).dtype;
      });
      outputs.forEach((tensor, output) => {
        const before = combined[output];
        const how = combine?.[output];
        if (!how) results[output]?.push({ range, tensor });
        else combined[output] = before ? this.#combine(how(range), before, tensor) : tensor;
      });
    });
    node.outputs.forEach((output, index) => {
      const total = combined[index];
      if (total) this.#replace(total, output);
      else this.#store(output, results[index] ?? []);
    });
  }

  #combine({ op, attributes }: Pick<Node, 'op' | 'attributes'>, before: Tensor, result: Tensor): Tensor {
    return required(this.#place(this.#graph.createNode(op, [before, result], attributes)).outputs[0], op.name);
  }

  /** Puts results of ranges together to the parts that the tensor is stored in, or to itself. */
  #store(tensor: Tensor, results: readonly Part[]): void {
    const ranges = imageRanges(required(tensor.shape[0], 'images'), this.#parts.get(tensor) ?? 1);
    const stored = ranges.map((range): Part => {
      const within = results.filter((result) => contains(range, result.range));
      return { range, tensor: within.length === 1 ? (within[0] as Part).tensor : this.#join(within) };
    });
    if (this.#parts.has(tensor)) this.#stored.set(tensor, stored);
    else this.#replace((stored[0] as Part).tensor, tensor);
  }

  #join(parts: readonly Part[]): Tensor {
    const tensors = parts.map((part) => part.tensor);
    return required(this.#place(this.#graph.createNode(concatImages, tensors, {})).outputs[0], 'concat_images: y');
  }

  /** The images of a range: a part of a tensor, or a view of one. */
  #read(tensor: Tensor, range: ImageRange): Tensor {
    const parts = this.#stored.get(tensor) ?? [{ range: { first: 0, count: tensor.shape[0] ?? 0 }, tensor }];
    const part = required(
      parts.find((one) => contains(one.range, range)),
      `part of ${tensor.name}`,
    );
    if (part.range.count === range.count) return part.tensor;
    const views = this.#views.get(tensor) ?? [];
    const known = views.find((view) => view.range.first === range.first && view.range.count === range.count);
    if (known) return known.tensor;
    const within = { first: range.first - part.range.first, count: range.count };
    const [view] = this.#place(this.#graph.createNode(narrowImages, [part.tensor], within)).outputs;
    const found = required(view, 'narrow_images: y');
    this.#views.set(tensor, [...views, { range, tensor: found }]);
    return found;
  }

  /** A tensor for a node that takes all images at once: a copy where it is cut. */
  #whole(tensor: Tensor): Tensor {
    const parts = this.#stored.get(tensor);
    if (!parts) return tensor;
    const joined = this.#joined.get(tensor) ?? this.#join(parts);
    this.#joined.set(tensor, joined);
    return joined;
  }

  #place(node: Node): Node {
    this.#nodes.push(node);
    return node;
  }

  /** Lets a node give a tensor of the graph in place of its own. */
  #replace(own: Tensor, tensor: Tensor): void {
    const producer = required(own.producer, own.name);
    producer.outputs = producer.outputs.map((output) => (output === own ? tensor : output));
    tensor.producer = producer;
  }
}

const contains = (outer: ImageRange, inner: ImageRange): boolean =>
  outer.first <= inner.first && inner.first + inner.count <= outer.first + outer.count;
