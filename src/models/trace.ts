import { required } from '../base/errors.ts';
import { gradients } from '../graph/autograd.ts';
import type { Tensor } from '../graph/graph.ts';
import { bceWithLogits } from '../kernels/bce-with-logits.ts';
import { add } from '../kernels/elementwise.ts';
import type { ModelDefinition } from './definition.ts';
import type { Network, StateSpec } from './network.ts';

/** A network with its loss and the gradients of its parameters, traced onto the network's graph. */
export interface TracedLoss {
  readonly logits: Tensor;
  /** Mean binary cross-entropy of the batch, [1]; with an auxiliary classifier, its own is added by its weight. */
  readonly loss: Tensor;
  /** Every parameter that is learned and that the loss depends on, with its gradient. */
  readonly gradients: readonly { readonly spec: StateSpec; readonly parameter: Tensor; readonly gradient: Tensor }[];
}

/**
 * Traces forward, loss and backward. image: [N,S,S,4], declared padded from three channels; targets: [N] of 0 and 1;
 * weights: [N], how much each image counts. With `scaler`, the state of grad_scaler, the gradients are those of the loss
 * times its scale.
 */
export function traceLoss(
  network: Network,
  definition: ModelDefinition,
  {
    image,
    targets,
    weights,
    outputs,
    scaler,
  }: { image: Tensor; targets: Tensor; weights?: Tensor; outputs: number; scaler?: Tensor | undefined },
): TracedLoss {
  const { graph } = network;
  const { logits, auxiliary } = definition.build(network, image, outputs);
  const lossOf = (from: Tensor, weight: number) =>
    required(graph.emit(bceWithLogits, [from, targets, weights, scaler], { positiveWeight: 1, weight })[0], 'loss');
  const losses = [lossOf(logits, 1), ...(auxiliary ? [lossOf(auxiliary.logits, auxiliary.weight)] : [])];
  const parameters = network.states.filter(({ spec }) => spec.kind === 'parameter' && !network.isFrozen(spec.name));
  const wanted = parameters.map(({ tensor }) => tensor);
  const found = gradients(graph, wanted, losses);
  const [own, side] = losses as [Tensor, Tensor?];
  const loss = side ? required(graph.emit(add, [own, side], {})[0], 'loss') : own;
  return {
    logits,
    loss,
    gradients: parameters.flatMap(({ spec, tensor }) => {
      const gradient = found.get(tensor);
      return gradient ? [{ spec, parameter: tensor, gradient }] : [];
    }),
  };
}
