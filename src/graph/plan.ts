import { InternalError, required } from '../base/errors.ts';
import { bytesOfTensor, channelsOf, type TensorType } from '../base/shape.ts';
import type { AdapterTraits } from '../base/traits.ts';
import type { Cost, Launch, Operand, Variant } from '../kernels/definition.ts';
import { type Choices, type Chosen, chooseVariant, NO_CHOICES } from './choices.ts';
import type { Graph, Node, Tensor } from './graph.ts';
import { type Slot, type Storage, shareSlots } from './memory.ts';
import { Placement } from './placement.ts';

/** Memory outside of the plan's own: a place in a buffer of a store, or of an input. */
export interface External {
  readonly storage: object;
  /** In elements. */
  readonly offset: number;
}

export interface PlanOptions {
  /** Tensors whose values are read after a run: nothing overwrites them. */
  readonly kept: ReadonlySet<Tensor>;
  /** Where inputs, state and pinned results lie. */
  readonly external: ReadonlyMap<Tensor, External>;
  /** Which variants to take; default: the first that fits. */
  readonly choices?: Choices;
  /** Chooses a variant by its name, whatever `choices` say; for tests. */
  readonly variant?: (node: Node) => string | undefined;
}

/** One dispatch with the node it belongs to. */
export interface PlannedLaunch {
  readonly node: Node;
  readonly launch: Launch;
  /** Name of the variant that it belongs to. */
  readonly variant: string;
  /** The node's cost, carried by its first launch. */
  readonly cost: Cost;
}

/** What a graph becomes: launches in order, and the buffers they need. */
export interface Plan {
  readonly launches: readonly PlannedLaunch[];
  readonly slots: readonly Slot[];
  readonly operands: ReadonlyMap<Tensor, Operand>;
  /** The variants taken, by sizeKey, wherever more than one fits: as choices they lead to the same plan. */
  readonly choices: Readonly<Record<string, string>>;
  /** Choices that could not be followed, by sizeKey: the variant does not exist or does not fit. */
  readonly misfits: Readonly<Record<string, string>>;
}

/** Chooses variants, places every tensor and lowers the graph's nodes to launches. */
export function planGraph(graph: Graph, traits: AdapterTraits, options: PlanOptions): Plan {
  const pinned = new Set([...options.external.keys()]);
  const placement = new Placement(graph, new Set([...options.kept, ...pinned]));
  const storages = new Map<Tensor, Storage>();
  const operands = new Map<Tensor, Operand>();

  const touch = (tensor: Tensor, index: number): void => {
    const { root } = placement.of(tensor);
    if (options.external.has(root)) return;
    const storage = storages.get(root);
    if (!storage) storages.set(root, { label: root.name, bytes: bytesOfTensor(root), nodes: [index] });
    else if (storage.nodes[storage.nodes.length - 1] !== index) storage.nodes.push(index);
  };
  graph.nodes.forEach((node, index) => {
    for (const tensor of [...node.inputs, ...node.outputs]) if (tensor) touch(tensor, index);
  });
  for (const tensor of options.kept) touch(tensor, graph.nodes.length);

  const operandOf = (tensor: Tensor): Operand => {
    let operand = operands.get(tensor);
    if (!operand) {
      operand = createOperand(tensor, placement, storages, options.external);
      operands.set(tensor, operand);
    }
    return operand;
  };
  const scratch: Storage[] = [];
  const choices: Record<string, string> = {};
  const misfits: Record<string, string> = {};
  const launches = graph.nodes.flatMap((node, index) => {
    if (node.op.joins || node.op.view) return [];
    const chosen = choose(node, traits, options);
    if (chosen.hadChoice) choices[chosen.key] = chosen.variant.name;
    if (chosen.misfit !== undefined) misfits[chosen.key] = chosen.misfit;
    return lower(node, traits, operandOf, chosen.variant, (type) => {
      const storage = {
        label: `${node.scope}/${node.op.name}: scratch`,
        bytes: bytesOfTensor(type),
        nodes: [index],
      };
      scratch.push(storage);
      return { ...type, storage, offset: 0, stride: channelsOf(type.shape) };
    });
  });
  for (const tensor of options.kept) operandOf(tensor);
  const slots = shareSlots([...storages.values(), ...scratch], traits);
  return { launches, slots, operands, choices, misfits };
}

function createOperand(
  tensor: Tensor,
  placement: Placement,
  storages: ReadonlyMap<Tensor, Storage>,
  externals: ReadonlyMap<Tensor, External>,
): Operand {
  const { root, row, channel } = placement.of(tensor);
  const { shape, dtype } = tensor;
  if (dtype !== root.dtype) throw new InternalError(`${tensor.name} is ${dtype} in a memory of ${root.dtype}`);
  const external = externals.get(root);
  const stride = channelsOf(root.shape);
  const offset = row * stride + channel;
  if (external) return { shape, dtype, storage: external.storage, offset: external.offset + offset, stride };
  return { shape, dtype, storage: required(storages.get(root), `memory of ${tensor.name}`), offset, stride };
}

function choose(node: Node, traits: AdapterTraits, { variant, choices = NO_CHOICES }: PlanOptions): Chosen {
  const { op, inputs, outputs, attributes } = node;
  const forced = variant?.(node);
  const among = forced === undefined ? op : { ...op, variants: op.variants.filter(({ name }) => name === forced) };
  const chosen = chooseVariant(
    among,
    { inputs, outputs, attributes, traits },
    forced === undefined ? choices : NO_CHOICES,
  );
  if (!chosen) throw new InternalError(`${op.name}: no variant ${forced ?? ''} fits`);
  return chosen;
}

function lower(
  node: Node,
  traits: AdapterTraits,
  operandOf: (tensor: Tensor) => Operand,
  variant: Variant<unknown>,
  allocate: (type: TensorType) => Operand,
): PlannedLaunch[] {
  const { op, attributes } = node;
  const inputs = node.inputs.map((input) => input && operandOf(input));
  const outputs = node.outputs.map(operandOf);
  const signature = { inputs, outputs, attributes, traits };
  const scratch = (variant.scratch?.(signature) ?? []).map(allocate);
  const cost = op.cost(signature);
  const nothing = { flops: 0, bytes: 0 };
  return variant
    .launches({ ...signature, scratch })
    .map((launch, index) => ({ node, launch, variant: variant.name, cost: index === 0 ? cost : nothing }));
}
