import { required } from '../base/errors.ts';
import { elementCount } from '../base/shape.ts';
import { gradients } from '../graph/autograd.ts';
import type { Graph, Tensor } from '../graph/graph.ts';
import { globalAvgPool2d } from '../kernels/pool2d/index.ts';
import type { Outputs } from './definition.ts';

/** What Grad-CAM adds to a network's graph. */
export interface MapGradients {
  /** [N,1,1,C]: for each image, how much each feature map raises the first logit. */
  readonly weights: Tensor;
  /** The gradient of the logits to start from, an input: see `firstLogits`. */
  readonly seed: Tensor;
}

/**
 * Traces the mean over the positions of the first logit's gradient with respect to the last maps (Grad-CAM, Selvaraju et
 * al. 2017, https://arxiv.org/abs/1610.02391).
 */
export function traceMapGradients(graph: Graph, { logits, maps }: Outputs): MapGradients {
  const seed = graph.input('seed', logits.shape);
  const gradient = gradients(graph, [maps], [], new Map([[logits, seed]])).get(maps);
  const [weights] = graph.emit(globalAvgPool2d, [required(gradient, 'gradient of the maps')], {});
  return { weights: required(weights, 'weights'), seed };
}

/** 1 for the first logit of each image, 0 for the others. */
export function firstLogits({ shape }: Tensor): Float32Array<ArrayBuffer> {
  const outputs = shape.at(-1) ?? 1;
  return new Float32Array(elementCount(shape)).map((_, index) => (index % outputs === 0 ? 1 : 0));
}
