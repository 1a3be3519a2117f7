import { bytesOfTensor, type TensorType } from '../base/shape.ts';
import type { AdapterTraits, Precision } from '../base/traits.ts';
import { Graph } from '../graph/graph.ts';
import { optimise } from '../graph/passes/index.ts';
import { planGraph } from '../graph/plan.ts';
import { STEP_WORDS } from '../kernels/adam.ts';
import type { ModelDefinition } from '../models/definition.ts';
import { ImageInput } from '../models/images.ts';
import { Network } from '../models/network.ts';
import { traceLoss } from '../models/trace.ts';

/** A plan is made for a GPU without limits: the figure says what the network needs. */
const BOUNDLESS: AdapterTraits = {
  kind: 'hardware',
  maxBindingBytes: Number.MAX_SAFE_INTEGER,
  maxBufferBytes: Number.MAX_SAFE_INTEGER,
  workgroupBytes: 32768,
  workgroupThreads: 256,
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
  { batchSize, imageSize, precision = 'f32' }: { batchSize: number; imageSize: number; precision?: Precision },
): TrainingMemory {
  const graph = new Graph();
  const step = graph.input('step', [STEP_WORDS], 'u32');
  const targets = graph.input('targets', [batchSize]);
  const network = new Network(graph, { training: true, step });
  const images = new ImageInput(graph, network, { batchSize, size: imageSize, channels: 1 });
  const { loss, gradients } = traceLoss(network, definition, { image: images.image, targets, outputs: 1 });
  const found = gradients.map(({ gradient }) => gradient);
  const external = new Map(
    [...network.states.map(({ tensor }) => tensor), ...found, step, targets, ...images.inputs].map((tensor) => [
      tensor,
      { storage: tensor, offset: 0 },
    ]),
  );
  const kept = new Set([loss, ...found]);
  const traits = { ...BOUNDLESS, storesHalves: precision === 'f16' };
  optimise(graph, kept, [], traits.maxBindingBytes, traits);
  const plan = planGraph(graph, traits, { kept, external });
  const bytes = (tensors: readonly TensorType[]) => tensors.reduce((sum, tensor) => sum + bytesOfTensor(tensor), 0);
  const statistics = network.states.filter(({ spec }) => spec.kind === 'statistics').map(({ tensor }) => tensor);
  return {
    activations: plan.slots.reduce((sum, slot) => sum + slot.bytes, 0),
    state: 4 * bytes(gradients.map(({ parameter }) => parameter)) + bytes(statistics),
  };
}
