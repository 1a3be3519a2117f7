import { batchNormCorrection } from '../../kernels/batch-norm/index.ts';
import { type Graph, type Node, readersOf, type Tensor } from '../graph.ts';
import { replaceOutput } from './epilogue.ts';

/** The inputs of the correction that a gradient still lacks. */
type Lack = readonly [gradient: Tensor, x: Tensor, affine: Tensor, coefficients: Tensor];

/**
 * A gradient that is only cut into slices or added to need not be corrected yet: the coefficients of all normalisations
 * of a channel are added up, a few numbers, and applied once, when the op that made the channel takes its gradient. In a
 * dense block a gradient is corrected once instead of once a layer.
 */
export function deferCorrections(graph: Graph, kept: ReadonlySet<Tensor>): void {
  new Deferral(graph, kept).run();
}

class Deferral {
  readonly #graph: Graph;
  readonly #kept: ReadonlySet<Tensor>;
  readonly #readers: ReadonlyMap<Tensor, readonly Node[]>;
  readonly #lacking = new Map<Tensor, Lack>();
  readonly #nodes: Node[] = [];

  constructor(graph: Graph, kept: ReadonlySet<Tensor>) {
    this.#graph = graph;
    this.#kept = kept;
    this.#readers = readersOf(graph.nodes);
  }

  run(): void {
    for (const node of this.#graph.nodes) {
      this.#graph.scope = node.scope;
      const slot = node.op.view ? 0 : node.op.accumulates;
      const source = slot === undefined ? undefined : node.inputs[slot];
      const lack = source && this.#lacking.get(source);
      if (node.op === batchNormCorrection) this.#defer(node, lack);
      else if (lack && node.op.view) this.#view(node, lack);
      else if (lack && slot !== undefined) this.#addTo(node, slot, lack);
      else this.#nodes.push(node);
    }
    this.#graph.scope = '';
    this.#graph.nodes = this.#nodes;
  }

  /** A gradient that lacks a correction already lacks the sum of both where the coefficients can be added up. */
  #defer({ inputs, outputs }: Node, lack: Lack | undefined): void {
    const [gradient, x, affine, coefficients] = inputs as unknown as Lack;
    const own = coefficients.producer;
    const slot = own?.op.accumulates;
    if (lack && own && slot !== undefined && this.#canAdd(lack[3], coefficients, slot)) {
      own.inputs[slot] = lack[3];
      this.#resolve(outputs[0] as Tensor, [lack[0], x, affine, coefficients]);
      return;
    }
    if (lack) this.#place(gradient, lack);
    this.#resolve(outputs[0] as Tensor, [gradient, x, affine, coefficients]);
  }

  /** Whether the op that computes `sum` can add `part` to it, for the one reader that takes both. */
  #canAdd(part: Tensor, sum: Tensor, slot: number): boolean {
    const order = [part.producer, sum.producer].map((node) => (node ? this.#nodes.indexOf(node) : -1)) as [
      number,
      number,
    ];
    return order[0] < order[1] && !sum.producer?.inputs[slot] && this.#readers.get(sum)?.length === 1;
  }

  #view({ op, attributes, outputs }: Node, lack: Lack): void {
    const views = lack.map((tensor) => {
      const node = this.#graph.createNode(op, [tensor], attributes);
      this.#nodes.push(node);
      return node.outputs[0];
    });
    this.#resolve(outputs[0] as Tensor, views as unknown as Lack);
  }

  #addTo(node: Node, slot: number, [gradient, ...rest]: Lack): void {
    const [result] = node.outputs as [Tensor];
    node.inputs[slot] = gradient;
    const [uncorrected] = this.#graph.createNode(node.op, node.inputs, node.attributes).outputs as [Tensor];
    replaceOutput(node, 0, uncorrected);
    this.#nodes.push(node);
    this.#resolve(result, [uncorrected, ...rest]);
  }

  /** Leaves the correction of a gradient to its readers where they can do without, else makes it. */
  #resolve(tensor: Tensor, lack: Lack): void {
    if (this.#canWait(tensor)) {
      this.#lacking.set(tensor, lack);
    } else {
      this.#place(tensor, lack);
    }
  }

  #place(tensor: Tensor, lack: Lack): void {
    const node = this.#graph.createNode(batchNormCorrection, lack, {});
    replaceOutput(node, 0, tensor);
    this.#nodes.push(node);
  }

  #canWait(tensor: Tensor): boolean {
    const readers = this.#readers.get(tensor) ?? [];
    const [reader] = readers;
    if (!reader || this.#kept.has(tensor)) return false;
    if (readers.every(({ op }) => op.view)) return true;
    const slots = reader.inputs.flatMap((input, slot) => (input === tensor ? [slot] : []));
    return readers.length === 1 && slots.length === 1 && slots[0] === reader.op.accumulates;
  }
}
