import { elementCount } from '../base/shape.ts';
import type { AdapterTraits } from '../base/traits.ts';
import { gradients } from '../graph/autograd.ts';
import { Graph } from '../graph/graph.ts';
import { optimise } from '../graph/passes/index.ts';
import { planGraph } from '../graph/plan.ts';
import { STEP_WORDS } from '../kernels/adam.ts';
import { bceWithLogits } from '../kernels/bce-with-logits.ts';
import type { ModelDefinition } from '../models/definition.ts';
import { ImageInput } from '../models/images.ts';
import { Network } from '../models/network.ts';

/** A plan is made for a GPU without limits: the figure says what the network needs. */
const BOUNDLESS: AdapterTraits = {
  kind: 'hardware',
  maxBindingBytes: Number.MAX_SAFE_INTEGER,
  maxBufferBytes: Number.MAX_SAFE_INTEGER,
  shaderF16: false,
  timestamps: false,
  expectedFlops: 1e12,
};

export interface TrainingMemory {
  /** Bytes of the buffers that hold activations, gradients of activations and scratch. */
  readonly activations: number;
  /** Bytes of parameters, their gradients, Adam's two moments and running statistics. */
  readonly state: number;
}

/** Plans a training step without a device and adds up its memory. */
export function planTrainingMemory(
  definition: ModelDefinition,
  { batchSize, imageSize }: { batchSize: number; imageSize: number },
): TrainingMemory {
  const graph = new Graph();
  const step = graph.input('step', [STEP_WORDS], 'u32');
  const targets = graph.input('targets', [batchSize]);
  const network = new Network(graph, { training: true, step });
  const images = new ImageInput(graph, network, { batchSize, size: imageSize, channels: 1 });
  const { logits } = definition.build(network, images.image, 1);
  const [loss] = graph.emit(bceWithLogits, [logits, targets], { positiveWeight: 1 });
  const parameters = network.states.filter(({ spec }) => spec.kind === 'parameter').map(({ tensor }) => tensor);
  const found = gradients(graph, parameters, loss);
  const external = new Map(
    [...network.states.map(({ tensor }) => tensor), ...found.values(), step, targets, ...images.inputs].map(
      (tensor) => [tensor, { storage: tensor, offset: 0 }],
    ),
  );
  const kept = new Set([...(loss ? [loss] : []), ...found.values()]);
  optimise(graph, kept);
  const plan = planGraph(graph, BOUNDLESS, { kept, external });
  const bytes = (tensors: readonly { shape: readonly number[] }[]) =>
    tensors.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
  const statistics = network.states.filter(({ spec }) => spec.kind === 'statistics').map(({ tensor }) => tensor);
  return {
    activations: plan.slots.reduce((sum, slot) => sum + slot.bytes, 0),
    state: 4 * bytes(parameters) + bytes(statistics),
  };
}
