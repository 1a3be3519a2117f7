import { bytesOfTensor } from '../../base/shape.ts';
import type { ImageRange } from '../../kernels/definition.ts';
import type { Graph, Node, Tensor } from '../graph.ts';
import { checkBindable } from '../memory.ts';

/**
 * Into how many ranges of images each tensor of a graph is cut, a power of two; tensors that stay whole are left out.
 * Cut are those larger than `maxBytes`, and those that could only be put together by a copy.
 * Throws a UserError where a tensor is too large that is no batch of images, or one image of it is.
 */
export function imageParts(graph: Graph, kept: ReadonlySet<Tensor>, maxBytes: number): Map<Tensor, number> {
  const parts = new Map<Tensor, number>();
  for (const node of graph.nodes) {
    for (const tensor of operandsOf(node)) {
      if (bytesOfTensor(tensor) <= maxBytes) continue;
      checkCuttable(tensor, node, kept, maxBytes);
      parts.set(tensor, fewestParts(tensor, maxBytes));
    }
  }
  if (parts.size === 0) return parts;
  const cut = (tensor: Tensor, count: number): void => {
    if (tensor.role !== 'intermediate' || kept.has(tensor)) return;
    parts.set(tensor, Math.max(count, parts.get(tensor) ?? 1));
  };
  for (const node of [...graph.nodes].reverse()) {
    const count = node.op.joins ? partsOfNode(node, parts) : 1;
    if (count > 1) for (const input of node.inputs) if (input) cut(input, count);
  }
  for (const node of graph.nodes) {
    const count = partsOfNode(node, parts);
    if (count === 1) continue;
    node.outputs.forEach((output, index) => {
      if (!node.op.images?.combine?.[index] && !canJoin(node, index)) cut(output, count);
    });
  }
  return parts;
}

/** Into how many ranges a node is cut: as many as the operand that it cuts into most. */
export function partsOfNode(node: Node, parts: ReadonlyMap<Tensor, number>): number {
  return Math.max(1, ...cutOperands(node).map((tensor) => parts.get(tensor) ?? 1));
}

/** The ranges of `images` images in `count` parts; those of a larger power of two lie within those of a smaller one. */
export function imageRanges(images: number, count: number): ImageRange[] {
  const begin = (part: number) => Math.floor((part * images) / count);
  return Array.from({ length: count }, (_, part) => ({
    first: begin(part),
    count: begin(part + 1) - begin(part),
  })).filter((range) => range.count > 0);
}

const operandsOf = ({ inputs, outputs }: Node): Tensor[] =>
  [...inputs, ...outputs].filter((tensor) => tensor !== undefined);

/** The operands whose images a node can take or give range by range. */
function cutOperands({ op: { images }, inputs, outputs }: Node): Tensor[] {
  if (!images) return [];
  return [
    ...inputs.filter((input, slot) => input !== undefined && !images.whole?.includes(slot)),
    ...outputs.filter((_, index) => !images.combine?.[index]),
  ] as Tensor[];
}

/** Whether the parts of an output can be written where they belong in the whole. */
function canJoin({ op, inputs }: Node, output: number): boolean {
  const growsInPlace = op.accumulates !== undefined && inputs[op.accumulates] !== undefined;
  return output === 0 && (op.stridedOutput === true || op.joins !== undefined) && !growsInPlace;
}

function checkCuttable(tensor: Tensor, node: Node, kept: ReadonlySet<Tensor>, maxBytes: number): void {
  const isBatch = tensor.role === 'intermediate' && !kept.has(tensor) && tensor.shape.length === 4;
  const bytes = bytesOfTensor(tensor);
  if (!isBatch || !cutOperands(node).includes(tensor)) checkBindable({ label: tensor.name, bytes }, maxBytes);
  checkBindable({ label: `one image of ${tensor.name}`, bytes: bytes / (tensor.shape[0] ?? 1) }, maxBytes);
}

function fewestParts(tensor: Tensor, maxBytes: number): number {
  const images = tensor.shape[0] ?? 1;
  const most = Math.floor(maxBytes / (bytesOfTensor(tensor) / images));
  let count = 1;
  while (Math.ceil(images / count) > most) count *= 2;
  return count;
}
