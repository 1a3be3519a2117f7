import { expect } from 'vitest';
import { fnv1a32 } from '../../src/base/random.ts';
import { channelsOf, elementCount, type Shape } from '../../src/base/shape.ts';
import { gradients } from '../../src/graph/autograd.ts';
import { asReferences } from '../../src/graph/check/check-case.ts';
import { type Expected, expectedOf } from '../../src/graph/check/expected.ts';
import { interpret } from '../../src/graph/check/interpret.ts';
import { Graph, type Tensor } from '../../src/graph/graph.ts';
import { batchNormApply } from '../../src/kernels/batch-norm/index.ts';
import { bceWithLogits } from '../../src/kernels/bce-with-logits.ts';
import { given, normal, uniform, words } from '../../src/kernels/draw.ts';
import { activate } from '../../src/kernels/elementwise.ts';
import type { CaseInput } from '../../src/kernels/reference.ts';
import { Network } from '../../src/models/network.ts';

/** The layers from an image to a logit. */
export type Build = (network: Network, x: Tensor) => Tensor;

/** The state is written as inputs are. */
export class InputGraph extends Graph {
  override state(name: string, shape: Shape): Tensor {
    return this.input(name, shape);
  }
}

function drawState(name: string, shape: Shape): CaseInput {
  const values = (row: (stream: string) => CaseInput, deviations: (stream: string) => CaseInput) =>
    given(shape, [...row(`${name}.0`).values, ...deviations(`${name}.1`).values]);
  const channels = [channelsOf(shape)];
  if (name.endsWith('.affine')) {
    return values(
      (stream) => uniform(stream, channels, 0.5, 1.5),
      (stream) => normal(stream, channels, { deviation: 0.3 }),
    );
  }
  if (name.endsWith('.running')) {
    return values(
      (stream) => normal(stream, channels, { deviation: 0.1 }),
      (stream) => uniform(stream, channels, 0.5, 2),
    );
  }
  const fan = elementCount(shape.slice(0, -1));
  return normal(name, shape, { deviation: Math.sqrt(2 / fan) });
}

export interface Training {
  readonly graph: Graph;
  readonly values: Map<Tensor, CaseInput>;
  /** Loss, gradients of all parameters that learn, running statistics; logits alone where nothing is learnt. */
  readonly results: readonly Tensor[];
}

/** A network with its loss and gradients on a few images. The same tensors come in the same order every time. */
export function trace(name: string, build: Build, imageShape: Shape = [2, 13, 11, 4]): Training {
  const graph = new InputGraph();
  const step = graph.input('step', [1], 'u32');
  const image = graph.input('image', imageShape);
  const targets = graph.input('targets', imageShape.slice(0, 1));
  const network = new Network(graph, { training: true, step });
  const [loss] = graph.emit(bceWithLogits, [build(network, image), targets], { positiveWeight: 1 }) as [Tensor];
  const parameters = network.states
    .filter(({ spec }) => spec.kind === 'parameter' && !spec.name.startsWith('frozen.'))
    .map(({ tensor }) => tensor);
  const found = gradients(graph, parameters, [loss]);
  expect(found.size).toBe(parameters.length);
  const statistics = network.states.filter(({ spec }) => spec.kind === 'statistics').map(({ tensor }) => tensor);
  const values = new Map(
    network.states.map(({ tensor }) => [tensor, drawState(`${name}.${tensor.name}`, tensor.shape)]),
  );
  values.set(image, normal(`${name}.image`, image.shape));
  values.set(
    targets,
    given(
      targets.shape,
      Array.from({ length: targets.shape[0] ?? 0 }, (_, index) => index % 2),
    ),
  );
  values.set(step, words([1], [fnv1a32(name)]));
  return { graph, values, results: [loss, ...found.values(), ...statistics] };
}

/** A network in evaluation mode on a few images, without loss and gradients; its logits are the result. */
export function traceReading(name: string, build: Build, imageShape: Shape = [2, 13, 11, 4]): Training {
  const graph = new InputGraph();
  const image = graph.input('image', imageShape);
  const network = new Network(graph, { training: false });
  const logits = build(network, image);
  const values = new Map(
    network.states.map(({ tensor }) => [tensor, drawState(`${name}.${tensor.name}`, tensor.shape)]),
  );
  values.set(image, normal(`${name}.image`, image.shape));
  return { graph, values, results: [logits] };
}

/** How near the activations of a network are to their kinks. */
export function distanceToKinks({ graph, values }: Training): number {
  const found = interpret(graph, asReferences(values));
  const number = (tensor: Tensor | undefined, index: number) => found.get(tensor as Tensor)?.values[index] as number;
  const distances = graph.nodes
    .filter(({ op }) => op === batchNormApply || op === activate)
    .filter(({ attributes }) => attributes.activation !== 'none')
    .flatMap(({ op, inputs: [x, , affine] }) =>
      Array.from({ length: elementCount(x?.shape ?? []) }, (_, index) => {
        const channels = channelsOf(x?.shape ?? []);
        const channel = index % channels;
        const before =
          op === activate
            ? number(x, index)
            : number(x, index) * number(affine, channel) + number(affine, channels + channel);
        return before === 0 ? 1 : Math.min(Math.abs(before), Math.abs(before - 6));
      }),
    );
  return Math.min(1, ...distances);
}

/** The expected values by result number: each trace makes tensors of its own. */
export function expectedByNumber(training: Training): Expected[] {
  const expected = expectedOf(training.graph, asReferences(training.values), training.results);
  return training.results.map((tensor) => expected.get(tensor) as Expected);
}
