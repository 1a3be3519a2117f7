import { required } from '../../base/errors.ts';
import { Graph, type Tensor } from '../../graph/graph.ts';
import { NORMALISATIONS, type Normalisation } from '../../kernels/augment.ts';
import { encodeOnnx, type OnnxModel } from '../../weights/onnx.ts';
import { matchWeights, type StateDict } from '../../weights/state-dict.ts';
import { toFloat32 } from '../../weights/tensor-data.ts';
import type { ModelDefinition } from '../definition.ts';
import { checkImageSize } from '../inference.ts';
import { normalisationOf, stateKeys } from '../model.ts';
import { Network } from '../network.ts';
import { partOf, toDevice } from '../state-layout.ts';
import { OnnxBuilder, type StateValues } from './builder.ts';
import { translate } from './operators.ts';

export interface OnnxOptions {
  /** Width and height of the images in pixels. */
  readonly imageSize: number;
  /** What the weights were trained with; default: as torchvision's for weights with ImageNet's 1,000 outputs. */
  readonly normalisation?: Normalisation | undefined;
  /** Of the program that writes the file, for its header. */
  readonly producerVersion?: string;
}

const IMAGE_CHANNELS = 3;
const IMAGE =
  "[N,3,S,S]: red, green and blue in 0 to 1, normalised by ImageNet's mean and standard deviation as torchvision does";

/** The values of the network's states: every one has to be among the tensors, with its shape. */
function stateValues(
  { auxiliary }: ModelDefinition,
  network: Network,
  file: string,
  tensors: StateDict,
): Map<Tensor, StateValues> {
  const keys = stateKeys(network.states.map(({ spec }) => spec));
  const optional = auxiliary ? [`${auxiliary.module}.`] : [];
  const matched = matchWeights(file, tensors, keys, { heads: [], optional }).tensors;
  return new Map(
    network.states.map(({ spec, tensor }) => {
      const entries = spec.entries.map((entry) =>
        partOf(entry, toFloat32(required(matched.get(entry.key), entry.key))),
      );
      return [tensor, { spec, values: toDevice(spec, entries) }];
    }),
  );
}

/** Makes of images normalised for ImageNet what the weights were trained with, as torchvision's transform_input. */
function renormalise(builder: OnnxBuilder, image: Tensor, normalisation: Normalisation): void {
  const { imagenet } = NORMALISATIONS;
  const { mean, deviation } = NORMALISATIONS[normalisation];
  const channels = (name: string, value: (channel: 0 | 1 | 2) => number) =>
    builder.initializer(
      `transform_input.${name}`,
      [IMAGE_CHANNELS, 1, 1],
      Float32Array.of(value(0), value(1), value(2)),
    );
  const scale = channels('scale', (c) => imagenet.deviation[c] / deviation[c]);
  const shift = channels('shift', (c) => (imagenet.mean[c] - mean[c]) / deviation[c]);
  const scaled = builder.emit('transform_input', 'Mul', [builder.value(image), scale]);
  builder.bind(image, builder.emit('transform_input', 'Add', [scaled, shift]));
}

/**
 * A network with its weights as an ONNX file (operator set 17, f32) in evaluation mode: `image` [N,3,S,S], normalised as
 * torchvision expects -> `logits` [N,outputs], N as wanted. The number of outputs is that of the head in `tensors`, a
 * state_dict under PyTorch's names. Throws a UserError that lists the tensors that do not fit; `file` is for messages.
 */
export function exportOnnx(
  definition: ModelDefinition,
  file: string,
  tensors: StateDict,
  { imageSize, normalisation = normalisationOf(definition, tensors), producerVersion = '' }: OnnxOptions,
): Uint8Array<ArrayBuffer> {
  checkImageSize(definition, imageSize);
  const outputs = tensors.get(`${definition.head}.weight`)?.shape[0] ?? 1;
  const graph = new Graph();
  const network = new Network(graph, { training: false });
  const image = network.declarePadded(graph.input('image', [1, imageSize, imageSize, 4]), IMAGE_CHANNELS);
  const { logits } = definition.build(network, image, outputs);
  const builder = new OnnxBuilder(stateValues(definition, network, file, tensors));
  builder.declareInput(image, 'image', IMAGE_CHANNELS);
  if (normalisation !== 'imagenet') renormalise(builder, image, normalisation);
  for (const node of graph.nodes) translate(builder, node);
  builder.finish(logits, 'logits');
  const model: OnnxModel = {
    name: definition.name,
    producerVersion,
    nodes: builder.nodes,
    initializers: builder.initializers,
    input: { name: 'image', shape: ['N', IMAGE_CHANNELS, imageSize, imageSize], description: IMAGE },
    output: { name: 'logits', shape: ['N', outputs], description: '[N,outputs], before the sigmoid' },
    metadata: { model: definition.name, image_size: String(imageSize) },
  };
  return encodeOnnx(model);
}
