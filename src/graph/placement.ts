import { required } from '../base/errors.ts';
import { channelsOf, rowsOf } from '../base/shape.ts';
import type { ViewStart } from '../kernels/definition.ts';
import { copy } from '../kernels/elementwise.ts';
import { type Graph, type Node, readersOf, type Tensor } from './graph.ts';

interface Alias extends ViewStart {
  readonly of: Tensor;
}

/** Where a tensor lies: in the memory of `root`, from a row and channel on. */
export interface Place extends ViewStart {
  readonly root: Tensor;
}

/**
 * Decides which tensors share memory: parts of a concatenation are written side by side in the first place (or one after
 * the other, along images), slices are views, and sums of gradients grow in place. Where that would overwrite something that is still read, or make one
 * dispatch read and write the same memory, a copy is inserted instead (the graph's nodes change).
 */
export class Placement {
  readonly #graph: Graph;
  readonly #kept: ReadonlySet<Tensor>;
  readonly #aliases = new Map<Tensor, Alias>();
  #readers: Map<Tensor, Node[]>;

  constructor(graph: Graph, kept: ReadonlySet<Tensor>) {
    this.#graph = graph;
    this.#kept = kept;
    this.#readers = readersOf(graph.nodes);
    for (const node of graph.nodes) this.#placeView(node);
    this.#placeParts();
    this.#readers = readersOf(graph.nodes);
    this.#placeSums();
  }

  of(tensor: Tensor): Place {
    let root = tensor;
    let [row, channel] = [0, 0];
    for (let alias = this.#aliases.get(root); alias; alias = this.#aliases.get(root)) {
      root = alias.of;
      row += alias.row;
      channel += alias.channel;
    }
    return { root, row, channel };
  }

  #placeView({ op, inputs, outputs, attributes }: Node): void {
    const [result] = outputs;
    if (!op.view || !result) return;
    const of = required(inputs[0], `${op.name}: x`);
    this.#aliases.set(result, { of, ...op.view(attributes, of) });
  }

  #placeParts(): void {
    const order: Node[] = [];
    for (const node of [...this.#graph.nodes].reverse()) {
      order.push(node);
      if (!node.op.joins) continue;
      const of = required(node.outputs[0], 'concat: y');
      let [row, channel] = [0, 0];
      const parts = [...node.inputs];
      parts.forEach((part, slot) => {
        if (!part) return;
        if (isOnce(part, parts) && this.#canJoin(part, node, channel)) {
          this.#aliases.set(part, { of, row, channel });
        } else {
          const copied = this.#copyOf(part, node.scope);
          this.#aliases.set(required(copied.outputs[0], 'copy: y'), { of, row, channel });
          node.inputs[slot] = copied.outputs[0];
          order.push(copied);
        }
        if (node.op.joins === 'images') row += rowsOf(part.shape);
        else channel += channelsOf(part.shape);
      });
    }
    this.#graph.nodes = order.reverse();
  }

  #canJoin(part: Tensor, join: Node, channel: number): boolean {
    const whole = required(join.outputs[0], 'concat: y');
    const producer = part.producer;
    if (part.role !== 'intermediate' || !producer || this.#aliases.has(part) || this.#kept.has(part)) return false;
    const strided = mayBeStrided(producer, part);
    if (!strided && !producer.op.joins) return false;
    if (channelsOf(part.shape) % 4 === 0 && (channel % 4 !== 0 || channelsOf(whole.shape) % 4 !== 0)) return false;
    const { root } = this.of(whole);
    const sharesRoot = (tensor: Tensor | undefined) => tensor !== undefined && this.of(tensor).root === root;
    const writesBeside = strided && producer.inputs.some(sharesRoot);
    const readBeside = this.#readersThroughViews(part).some(
      (reader) => reader !== join && reader.outputs.some(sharesRoot),
    );
    return !writesBeside && !readBeside;
  }

  /** The nodes that read a tensor or a view of it. */
  #readersThroughViews(tensor: Tensor): Node[] {
    return (this.#readers.get(tensor) ?? []).flatMap((reader) =>
      reader.op.view ? reader.outputs.flatMap((view) => this.#readersThroughViews(view)) : [reader],
    );
  }

  #placeSums(): void {
    const position = new Map(this.#graph.nodes.map((node, index) => [node, index]));
    const order: Node[] = [];
    this.#graph.nodes.forEach((node, index) => {
      const [result] = node.outputs;
      const slot = node.op.accumulates;
      const into = slot === undefined ? undefined : node.inputs[slot];
      let copyAfter: Node | undefined;
      if (node.op.view && result) {
        // The input may be a copy by now.
        this.#placeView(node);
        if (!this.#isAligned(result)) copyAfter = this.#copyForReaders(result, node.scope);
      } else if (into && result && slot !== undefined) {
        const placed = this.#aliases.get(result);
        if (placed || this.#readBeside(node, slot) || this.#readLater(into, index, position)) {
          const copied = this.#copyOf(into, node.scope);
          const target = required(copied.outputs[0], 'copy: y');
          if (placed) this.#aliases.set(target, placed);
          node.inputs[slot] = target;
          order.push(copied);
        }
        this.#aliases.set(result, { of: node.inputs[slot] as Tensor, row: 0, channel: 0 });
      }
      order.push(node, ...(copyAfter ? [copyAfter] : []));
    });
    this.#graph.nodes = order;
  }

  /** Whether rows begin at multiples of four elements where kernels read them four at once: see Operand. */
  #isAligned(tensor: Tensor): boolean {
    const { root, channel } = this.of(tensor);
    return channelsOf(tensor.shape) % 4 !== 0 || (channel % 4 === 0 && channelsOf(root.shape) % 4 === 0);
  }

  /** A copy of a tensor that all its readers take instead. */
  #copyForReaders(tensor: Tensor, scope: string): Node {
    const node = this.#copyOf(tensor, scope);
    const copied = required(node.outputs[0], 'copy: y');
    const readers = this.#readers.get(tensor) ?? [];
    for (const reader of readers) reader.inputs = reader.inputs.map((input) => (input === tensor ? copied : input));
    this.#readers.set(copied, readers).set(tensor, [node]);
    return node;
  }

  /** Whether a node reads the memory of its input `slot` through another input too: it cannot write there as well. */
  #readBeside({ inputs }: Node, slot: number): boolean {
    const root = inputs[slot] && this.of(inputs[slot]).root;
    return inputs.some((input, other) => other !== slot && input !== undefined && this.of(input).root === root);
  }

  /** Whether a value that shares memory with `tensor` is still read after the node at `index`. */
  #readLater(tensor: Tensor, index: number, position: ReadonlyMap<Node, number>): boolean {
    const place = this.of(tensor);
    if (place.root.role !== 'intermediate') return true;
    for (const [other, readers] of [...this.#readers, ...[...this.#kept].map((kept) => [kept, []] as const)]) {
      if (!overlap(tensor, place, other, this.of(other))) continue;
      if (other.producer && (position.get(other.producer) ?? 0) >= index) continue;
      if (this.#kept.has(other) || readers.some((reader) => (position.get(reader) ?? 0) > index)) return true;
    }
    return false;
  }

  #copyOf(tensor: Tensor, scope: string): Node {
    this.#graph.scope = scope;
    const node = this.#graph.createNode(copy, [tensor], {});
    this.#graph.scope = '';
    return node;
  }
}

/** Whether an op can write an output inside a wider tensor. */
function mayBeStrided({ op, outputs }: Node, output: Tensor): boolean {
  const index = outputs.indexOf(output);
  return index === 0 ? op.stridedOutput === true : op.otherStridedOutputs?.includes(index) === true;
}

/** A part that is concatenated twice lies in neither place: copying it to the other would read and write one buffer. */
const isOnce = (part: Tensor, parts: readonly (Tensor | undefined)[]): boolean =>
  parts.indexOf(part) === parts.lastIndexOf(part);

/** Whether two tensors at their places have an element of memory in common. */
function overlap(a: Tensor, placeA: Place, b: Tensor, placeB: Place): boolean {
  return (
    placeA.root === placeB.root &&
    placeA.row < placeB.row + rowsOf(b.shape) &&
    placeB.row < placeA.row + rowsOf(a.shape) &&
    placeA.channel < placeB.channel + channelsOf(b.shape) &&
    placeB.channel < placeA.channel + channelsOf(a.shape)
  );
}
