import { required } from '../../base/errors.ts';
import { batchNormApply, batchNormDataGradient, batchNormWeightGradient } from '../../kernels/batch-norm/index.ts';
import { activate, activateGradient, copy } from '../../kernels/elementwise.ts';
import type { Graph, Node, Tensor } from '../graph.ts';
import { replaceOutput } from './epilogue.ts';

/**
 * Takes normalisations and their activations apart, as a framework runs them that knows no graph: the normalised map is
 * stored and activated by an op of its own, and so backward. The gradient's mask follows from the activated map, which is
 * kept anyway; where it is inside the activation's range, so is the normalised one.
 */
export function separateActivations(graph: Graph): void {
  const activated = new Map<Tensor, Tensor>();
  const masked = new Map<Tensor, Tensor>();
  graph.nodes = graph.nodes.flatMap((node) => {
    const { activation } = node.attributes;
    const [dz, , affine] = node.inputs;
    graph.scope = node.scope;
    if (node.op === batchNormApply && activation !== 'none') {
      const z = required(node.outputs[0], 'z');
      const plain = graph.createNode(node.op, node.inputs, { ...node.attributes, activation: 'none' });
      const apart = graph.createNode(activate, plain.outputs, { activation });
      replaceOutput(apart, 0, z);
      activated.set(required(affine, 'affine'), z);
      return [plain, apart];
    }
    const isGradient = node.op === batchNormWeightGradient || node.op === batchNormDataGradient;
    const z = isGradient && affine ? activated.get(affine) : undefined;
    if (!z || !dz) return [node];
    node.attributes = { ...node.attributes, activation: 'none' };
    const known = masked.get(z);
    const made: Node[] = known ? [] : [graph.createNode(activateGradient, [z, dz], { activation })];
    const gradient = known ?? required(made[0]?.outputs[0], 'activation_gradient: dx');
    masked.set(z, gradient);
    node.inputs[0] = gradient;
    return [...made, node];
  });
  graph.scope = '';
}

/** Lets every part of a concatenation along channels be copied, wherever it could have been written in the first place. */
export function copyParts(graph: Graph): void {
  graph.nodes = graph.nodes.flatMap((node) => {
    if (node.op.joins !== 'channels') return [node];
    graph.scope = node.scope;
    const copies = node.inputs.map((part) => graph.createNode(copy, [part], {}));
    node.inputs = copies.map(({ outputs }) => outputs[0]);
    return [...copies, node];
  });
  graph.scope = '';
}
