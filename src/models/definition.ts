import type { Tensor } from '../graph/graph.ts';
import type { Network } from './network.ts';

/** What a network computes from a batch of images. */
export interface Outputs {
  /** [N,1,1,outputs], before the sigmoid. */
  readonly logits: Tensor;
  /** The last feature maps [N,h,w,C], after their normalisation and activation, that the head averages. */
  readonly maps: Tensor;
}

/** A network as data: how it is built from layers, and what commands need to know of it. */
export interface ModelDefinition {
  /** torchvision's name, such as `densenet121`. */
  readonly name: string;
  /** The paper's name, such as `DenseNet 121`. */
  readonly title: string;
  /** Name of the last linear layer, which is replaced where weights come with another number of outputs. */
  readonly head: string;
  /** Smallest width and height of an image in pixels. */
  readonly smallestImage: number;
  /** Traces the network on normalised images [N,S,S,4] (red, green, blue, 0). */
  build(network: Network, image: Tensor, outputs: number): Outputs;
}
