import { required } from '../../src/base/errors.ts';
import type { Shape } from '../../src/base/shape.ts';
import type { Device } from '../../src/gpu/device.ts';
import { Graph, type Tensor } from '../../src/graph/graph.ts';
import type { PassName } from '../../src/graph/passes/index.ts';
import { Program } from '../../src/graph/program.ts';
import { STEP_WORDS } from '../../src/kernels/adam.ts';
import type { ModelDefinition } from '../../src/models/definition.ts';
import { Model, stateKeys } from '../../src/models/model.ts';
import { Network } from '../../src/models/network.ts';
import { AdamState, adamScalars } from '../../src/train/adam-state.ts';
import { type TracedTraining, traceTraining } from '../../src/train/step.ts';
import { floatTensor, type StateDict } from '../../src/weights/tensor-data.ts';
import { formulaInput, formulaValues } from '../support/formula.ts';

/** A gradient: float64 values, and how far PyTorch's float32 runs are from them. */
export interface GradientRow {
  readonly l2: number;
  readonly dot: number;
  readonly head: readonly number[];
  /** The elements at the parameter's `pick`. */
  readonly pick: readonly number[];
  /** Relative to `l2`, one a run. */
  readonly noise: readonly number[];
  /** Of one element. */
  readonly noise_max: number;
}

/** A gradient in training mode, and what Adam makes of the parameter. */
export interface TrainingRow extends GradientRow {
  /** The gradient is zero in theory and rounding alone: a bias before a normalisation. */
  readonly zero: boolean;
  readonly adam1: { delta_l2: number; delta_dot: number; delta_pick: readonly number[]; noise: readonly number[] };
  readonly adam3: { l2: number; dot: number; pick: readonly number[]; delta_l2: number; noise: readonly number[] };
}

export interface ParameterRow {
  readonly key: string;
  readonly shape: Shape;
  readonly pick: readonly number[];
  /** Null: the parameter takes no part in evaluation mode. */
  readonly eval: GradientRow | null;
  readonly train: TrainingRow;
}

/** A running statistic after one training forward pass, and after four. */
export interface StatisticsRow {
  readonly key: string;
  readonly sum: number;
  readonly l2: number;
  readonly dot: number;
  readonly head: readonly number[];
  readonly noise: readonly number[];
  readonly after4_l2: number;
  readonly after4_dot: number;
}

interface Part {
  readonly input_key: string;
  readonly logits: readonly number[];
  readonly losses: readonly number[];
  readonly noise: { logits: number; losses: readonly number[] };
}

/** A file of test/golden/oracle/make_fixtures.py. */
export interface Fixture {
  readonly model: string;
  readonly gain: number;
  readonly input_shape: Shape;
  readonly target: readonly number[];
  readonly adam: { lr: number; eps: number; steps: number };
  readonly eval: Part;
  readonly train: Part & {
    readonly after_eval_logits: readonly number[];
    readonly noise: { adam3_delta_rel_median: number; after_eval_logits: number };
  };
  readonly parameters: readonly ParameterRow[];
  readonly buffers: readonly StatisticsRow[];
}

/** What float64 gives where rectifiers within rounding of zero fall on the other side; rows as the fixture's. */
interface TippedRow {
  readonly l2: number;
  readonly dot: number;
  readonly pick: readonly number[];
  readonly adam1: Omit<TrainingRow['adam1'], 'noise'>;
  readonly adam3: Omit<TrainingRow['adam3'], 'noise'>;
}

/** A file of test/golden/oracle/make_tipped.py. */
export interface Tipped {
  readonly branches: readonly {
    readonly losses: readonly number[];
    readonly after_eval_logits: readonly number[];
    readonly rows: readonly TippedRow[];
  }[];
}

/** The fixture as it is, and with each choice of tipped rectifiers. */
export function branchesOf(fixture: Fixture, { branches }: Tipped): [Fixture, ...Fixture[]] {
  const tipped = branches.map(({ losses, after_eval_logits, rows }) => ({
    ...fixture,
    train: { ...fixture.train, losses, after_eval_logits },
    parameters: fixture.parameters.map((parameter, index) => {
      const row = required(rows[index], parameter.key);
      const { adam1, adam3 } = parameter.train;
      const steps = { adam1: { ...adam1, ...row.adam1 }, adam3: { ...adam3, ...row.adam3 } };
      return { ...parameter, train: { ...parameter.train, ...row, ...steps, head: [] } };
    }),
  }));
  return [fixture, ...tipped];
}

/** The formula's weights under PyTorch's names. */
export function formulaState(model: Pick<Model, 'specs'>, gain: number): StateDict {
  const expected = stateKeys(model.specs);
  const keys = new Set(expected.map(({ key }) => key));
  const tensors: StateDict = new Map();
  for (const { key, shape } of expected) {
    if (key.endsWith('num_batches_tracked')) {
      tensors.set(key, { dtype: 'I64', shape, data: new BigInt64Array(1) });
    } else {
      const batchNorm = keys.has(key.replace(/[^.]+$/, 'running_mean'));
      tensors.set(key, floatTensor(shape, formulaValues(key, shape, gain, batchNorm)));
    }
  }
  return tensors;
}

/** Without the parameters that take no part in eval mode: those of an auxiliary classifier. */
export const inEvaluation = (fixture: Fixture): Fixture => ({
  ...fixture,
  parameters: fixture.parameters.filter(({ eval: row }) => row !== null),
});

/** The gradients in evaluation mode with rectifiers tipped: null where a parameter is not in the graph. */
export interface TippedEvaluation {
  readonly branches: readonly { readonly rows: readonly (Pick<TippedRow, 'l2' | 'dot' | 'pick'> | null)[] }[];
}

/** The fixture, and what else its gradients in evaluation mode may be. */
export function evaluationBranchesOf(fixture: Fixture, { branches }: TippedEvaluation): [Fixture, ...Fixture[]] {
  const tipped = branches.map(({ rows }) => ({
    ...fixture,
    parameters: fixture.parameters.map((parameter, index) => {
      const row = rows[index];
      return row && parameter.eval ? { ...parameter, eval: { ...parameter.eval, ...row, head: [] } } : parameter;
    }),
  }));
  return [fixture, ...tipped];
}

/** The fixture without the parameters whose gradients are rounding, or where PyTorch's own are noisier than `noise`. */
export const withoutNoisy = (fixture: Fixture, noise: number): Fixture => ({
  ...fixture,
  parameters: fixture.parameters.filter(({ train }) => !train.zero && Math.max(...train.noise) < noise),
});

let last: { readonly definition: ModelDefinition; readonly gain: number; readonly state: StateDict } | undefined;

/** The formula's state, made once for tests that use one network after the other; not to be changed. */
export function formulaStateOnce(model: Model, gain: number): StateDict {
  if (last?.definition !== model.definition || last.gain !== gain) {
    last = { definition: model.definition, gain, state: formulaState(model, gain) };
  }
  return last.state;
}

/** The network with the formula's weights. */
export function formulaModel(device: Device, definition: ModelDefinition, gain: number): Model {
  const model = new Model(device, definition, { initialise: false });
  model.load('formula', formulaStateOnce(model, gain));
  return model;
}

/** [N,3,H,W] -> [N,H,W,4], the fourth channel 0. */
export function toDeviceImages(
  images: Float32Array,
  [n = 0, channels = 0, h = 0, w = 0]: Shape,
): Float32Array<ArrayBuffer> {
  const result = new Float32Array(n * h * w * 4);
  const area = h * w;
  images.forEach((value, index) => {
    const image = Math.floor(index / (channels * area));
    const channel = Math.floor(index / area) % channels;
    result[4 * (image * area + (index % area)) + channel] = value;
  });
  return result;
}

/** A network in evaluation mode, run once on normalised images [N,3,S,S]; the caller destroys the program. */
export async function evaluate(
  model: Model,
  images: Float32Array,
  shape: Shape,
): Promise<{ program: Program; logits: Tensor; maps: Tensor }> {
  const [count = 0, , height = 0, width = 0] = shape;
  const graph = new Graph();
  const network = new Network(graph, { training: false });
  const image = network.declarePadded(graph.input('image', [count, height, width, 4]), 3);
  const { logits, maps } = model.definition.build(network, image, model.outputs);
  const program = await Program.compile(model.device, graph, {
    results: [logits, maps],
    places: model.places(network),
    bindings: [...model.parameters.bindings(), ...model.statistics.bindings()],
  });
  program.write(image, toDeviceImages(images, shape));
  program.run();
  return { program, logits, maps };
}

/** A fixture's batch through forward, loss, backward and Adam, in either mode of the network. */
export class FixtureStep {
  readonly model: Model;
  readonly #program: Program;
  readonly #adam: AdamState;
  readonly #traced: TracedTraining;
  readonly #step: Tensor;
  #steps = 0;

  private constructor(
    model: Model,
    parts: { program: Program; adam: AdamState; traced: TracedTraining; step: Tensor },
  ) {
    this.model = model;
    this.#program = parts.program;
    this.#adam = parts.adam;
    this.#traced = parts.traced;
    this.#step = parts.step;
  }

  /** `mode`: whose input is taken, and whether batch statistics are used; `training` overrides the latter. */
  static async create(
    model: Model,
    fixture: Fixture,
    mode: 'eval' | 'train',
    options: { training?: boolean; without?: readonly PassName[] } = {},
  ): Promise<FixtureStep> {
    const { training = mode === 'train', without = [] } = options;
    const [images = 0, , height = 0, width = 0] = fixture.input_shape;
    const graph = new Graph();
    const step = graph.input('step', [STEP_WORDS], 'u32');
    const network = new Network(graph, { training, step, dropout: 0 });
    const image = network.declarePadded(graph.input('image', [images, height, width, 4]), 3);
    const targets = graph.input('targets', [images]);
    const adam = new AdamState(model);
    const traced = traceTraining(model, adam, network, { image, targets, step });
    const { logits, loss, places, bindings } = traced;
    const program = await Program.compile(model.device, graph, { results: [logits, loss], places, bindings, without });
    const values = formulaInput(fixture.input_shape, fixture[mode].input_key);
    program.write(image, toDeviceImages(values, fixture.input_shape));
    program.write(targets, new Float32Array(fixture.target));
    return new FixtureStep(model, { program, adam, traced, step });
  }

  /** Runs one step; with a learning rate of 0 the parameters stay as they are. */
  async run(learningRate = 0): Promise<{ logits: number[]; loss: number }> {
    this.#program.write(this.#step, adamScalars(++this.#steps, learningRate));
    this.#program.run();
    const { logits, loss } = this.#traced;
    const values = await Promise.all([logits, loss].map((tensor) => this.#program.read(tensor)));
    const [logitValues, lossValues] = values.map((bytes) => [...new Float32Array(bytes)]);
    return { logits: required(logitValues, 'logits'), loss: required(lossValues?.[0], 'loss') };
  }

  /** The gradients of the last step under PyTorch's names. */
  async gradients(): Promise<StateDict> {
    return this.model.named(await this.#traced.gradients.read());
  }

  /** Frees the step, not the model. */
  destroy(): void {
    this.#program.destroy();
    this.#traced.gradients.destroy();
    this.#adam.destroy();
  }
}

/** The logits of a model in evaluation mode, planned without gradients as for reading images; `mode`: whose input. */
export async function readLogits(
  model: Model,
  fixture: Fixture,
  mode: 'eval' | 'train',
  without: readonly PassName[] = [],
): Promise<number[]> {
  const [images = 0, , height = 0, width = 0] = fixture.input_shape;
  const graph = new Graph();
  const network = new Network(graph, { training: false });
  const image = network.declarePadded(graph.input('image', [images, height, width, 4]), 3);
  const { logits } = model.definition.build(network, image, model.outputs);
  const program = await Program.compile(model.device, graph, {
    results: [logits],
    places: model.places(network),
    bindings: [...model.parameters.bindings(), ...model.statistics.bindings()],
    without,
  });
  program.write(image, toDeviceImages(formulaInput(fixture.input_shape, fixture[mode].input_key), fixture.input_shape));
  program.run();
  const values = [...new Float32Array(await program.read(logits))];
  program.destroy();
  return values;
}
