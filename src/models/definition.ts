import type { Tensor } from '../graph/graph.ts';
import type { Normalisation } from '../kernels/augment.ts';
import type { Network } from './network.ts';

/** What a network computes from a batch of images. */
export interface Outputs {
  /** [N,1,1,outputs], before the sigmoid. */
  readonly logits: Tensor;
  /** The last convolution's feature maps [N,h,w,C], after their normalisation and activation. */
  readonly maps: Tensor;
  /** A second classifier that takes part in training alone: its loss counts `weight` times. */
  readonly auxiliary?: { readonly logits: Tensor; readonly weight: number };
}

/** A network as data: how it is built from layers, and what commands need to know of it. */
export interface ModelDefinition {
  /** torchvision's name, such as `densenet121`. */
  readonly name: string;
  /** The paper's name, such as `DenseNet 121`. */
  readonly title: string;
  /** Name of the last linear layer, which is replaced where weights come with another number of outputs. */
  readonly head: string;
  /** Name of the auxiliary classifier's module and of its linear layer, which is replaced like the head. */
  readonly auxiliary?: { readonly module: string; readonly head: string };
  /** How torchvision normalises images for its ImageNet weights, where not as all others. */
  readonly imagenetNormalisation?: Normalisation;
  /** torchvision's file of weights trained on ImageNet, whose name ends in the first digits of its SHA-256. */
  readonly imagenetWeights?: string;
  /** Smallest width and height of an image in pixels. */
  readonly smallestImage: number;
  /** The same for training, where it is larger; default `smallestImage`. */
  readonly smallestTrainingImage?: number;
  /**
   * Whether the head averages the maps and weighs them in one linear layer, so that its weights draw the class activation
   * map (Zhou et al. 2016): default true; otherwise the gradient of the logit does (Grad-CAM, Selvaraju et al. 2017).
   */
  readonly headAveragesMaps?: boolean;
  /** Traces the network on normalised images [N,S,S,4] (red, green, blue, 0). */
  build(network: Network, image: Tensor, outputs: number): Outputs;
}

/**
 * Whether a layer belongs to what a network sees rather than to what it says: all but the module that the head lies in
 * (torchvision's `classifier` or `fc`) and the auxiliary classifier's own linear layer.
 */
export function isFeature({ head, auxiliary }: ModelDefinition, name: string): boolean {
  const classifiers = [head.split('.')[0], ...(auxiliary ? [auxiliary.head] : [])];
  return !classifiers.some((module) => `${name}.`.startsWith(`${module}.`));
}

/** Smallest width and height of an image that the network can be trained on, in pixels. */
export const smallestTrainingImage = (definition: ModelDefinition): number =>
  definition.smallestTrainingImage ?? definition.smallestImage;
