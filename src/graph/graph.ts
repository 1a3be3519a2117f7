import { InternalError } from '../base/errors.ts';
import type { DType, Shape, TensorType } from '../base/shape.ts';
import type { OpDefinition } from '../kernels/definition.ts';

/** Where a tensor's memory comes from: `state` belongs to a store that outlives the plan, the rest to the plan. */
export type Role = 'intermediate' | 'input' | 'state';

/** A handle of a tensor in a graph; its numbers exist only on the GPU, once a plan runs. */
export class Tensor implements TensorType {
  readonly id: number;
  readonly shape: Shape;
  /** Changed only by storeHalves, before memory is planned. */
  dtype: DType;
  readonly role: Role;
  readonly name: string;
  producer: Node | undefined;

  constructor(id: number, type: TensorType, role: Role, name: string) {
    this.id = id;
    this.shape = type.shape;
    this.dtype = type.dtype;
    this.role = role;
    this.name = name;
  }
}

/** One use of an op. */
export interface Node {
  readonly op: OpDefinition;
  inputs: (Tensor | undefined)[];
  outputs: Tensor[];
  // biome-ignore lint/suspicious/noExplicitAny: each op has attributes of its own type
  attributes: any;
  /** The layer's name, such as `features.conv0`. */
  readonly scope: string;
}

/** A traced computation: nodes in an order in which they can run. */
export class Graph {
  nodes: Node[] = [];
  /** Name of the layer that is being traced; new nodes carry it. */
  scope = '';
  #tensors = 0;

  /** A tensor that is written from outside before each run. */
  input(name: string, shape: Shape, dtype: DType = 'f32'): Tensor {
    return this.#tensor({ shape, dtype }, 'input', name);
  }

  /** A tensor that lives in a store and outlives the plan: a parameter, a running statistic, a moment of Adam. */
  state(name: string, shape: Shape): Tensor {
    return this.#tensor({ shape, dtype: 'f32' }, 'state', name);
  }

  /** Appends a node and returns its outputs; throws where the operands do not fit. */
  emit<A>(op: OpDefinition<A>, inputs: readonly (Tensor | undefined)[], attributes: A): Tensor[] {
    const node = this.createNode(op, inputs, attributes);
    this.nodes.push(node);
    return node.outputs;
  }

  /** A node that is not yet in the order: passes place it themselves. */
  createNode<A>(op: OpDefinition<A>, inputs: readonly (Tensor | undefined)[], attributes: A): Node {
    if (!op.joins) {
      op.inputs.forEach((name, index) => {
        if (!name.endsWith('?') && !inputs[index]) throw new InternalError(`${op.name}: input ${name} is missing`);
      });
    }
    const node: Node = { op, inputs: [...inputs], outputs: [], attributes, scope: this.scope };
    node.outputs = op.shape(inputs, attributes).map((type, index) => {
      const tensor = this.#tensor(type, 'intermediate', `${this.scope}/${op.name}.${op.outputs[index] ?? index}`);
      tensor.producer = node;
      return tensor;
    });
    return node;
  }

  #tensor(type: TensorType, role: Role, name: string): Tensor {
    return new Tensor(this.#tensors++, type, role, name);
  }
}

/** Nodes that read each tensor, in their order. */
export function readersOf(nodes: readonly Node[]): Map<Tensor, Node[]> {
  const readers = new Map<Tensor, Node[]>();
  for (const node of nodes) {
    for (const input of new Set(node.inputs)) {
      if (!input) continue;
      const list = readers.get(input);
      if (list) list.push(node);
      else readers.set(input, [node]);
    }
  }
  return readers;
}
