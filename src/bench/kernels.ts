import { UserError } from '../base/errors.ts';
import { f16Words } from '../base/half.ts';
import { elementCount, type TensorType } from '../base/shape.ts';
import type { AdapterTraits } from '../base/traits.ts';
import type { Device } from '../gpu/device.ts';
import type { Peaks } from '../gpu/peaks.ts';
import { fittingVariants } from '../graph/check/variants.ts';
import { type Choices, chooseVariant, NO_CHOICES, sizeKey } from '../graph/choices.ts';
import type { Node } from '../graph/graph.ts';
import type { PassName } from '../graph/passes/index.ts';
import { Program } from '../graph/program.ts';
import {
  conv2d,
  conv2dBatchNormGradient,
  conv2dDataGradient,
  conv2dMoments,
  conv2dWeightGradient,
} from '../kernels/conv2d/index.ts';
import type { OpDefinition, Variant } from '../kernels/definition.ts';
import type { ModelDefinition } from '../models/definition.ts';
import { type LayerCase, layerCases, traceLayer } from '../models/layer-cases.ts';
import { type Interleave, interleave, single, type Timing } from './interleave.ts';
import { type Rate, rateOf } from './roofline.ts';

/** An op at sizes that it has in a training step of one or more networks. */
export interface KernelCase extends LayerCase {
  /** Op, shapes and attributes: the same in every run of the benchmark. */
  readonly id: string;
  readonly models: readonly string[];
}

/** One variant of an op at one size. */
export interface KernelResult extends Rate {
  readonly case: string;
  readonly op: string;
  readonly name: string;
  readonly models: readonly string[];
  readonly variant: string;
  /** Whether it is the variant that a plan takes. */
  readonly used: boolean;
  readonly flops: number;
  readonly bytes: number;
  readonly median_ms: number;
  readonly lower_ms: number;
  readonly upper_ms: number;
  readonly runs: number;
}

/** Variants that only the benchmark runs beside an op's own, such as a naive kernel to compare with. */
export type ExtraVariants = (op: OpDefinition) => readonly Variant<unknown>[];

export interface KernelBenchOptions {
  readonly rounds: number;
  /** Default: without a library. */
  readonly interleave?: Interleave;
  readonly peaks: Peaks;
  readonly extra?: ExtraVariants;
  /** What a plan is made with; default: the first variant that fits. */
  readonly choices?: Choices;
  /** Only the variant that a plan takes, and the extra ones. */
  readonly usedOnly?: boolean;
}

const CONVOLUTIONS: ReadonlySet<OpDefinition> = new Set<OpDefinition>([
  conv2d,
  conv2dMoments,
  conv2dDataGradient,
  conv2dBatchNormGradient,
  conv2dWeightGradient,
]);
/** A run lasts at least so long, by repetition, in seconds. */
const SHORTEST_RUN = 0.002;
const MOST_REPEATS = 1000;
/** A variant that is so many times slower than the fastest is not run again: it takes the time of all others. */
const HOPELESS = 5;

/**
 * Every convolution of the networks' training steps, or every op, each combination of sizes and attributes once, as plans
 * for an adapter with `traits`, which computes `wrong` what is in that list, have them.
 */
export function kernelCases(
  definitions: readonly ModelDefinition[],
  sizes: { imageSize: number; batchSize: number },
  {
    allOps = false,
    filter = '',
    without = [],
    traits,
    wrong = [],
  }: {
    allOps?: boolean;
    filter?: string;
    without?: readonly PassName[];
    traits?: AdapterTraits;
    wrong?: Choices['wrong'];
  } = {},
): KernelCase[] {
  const cases = new Map<string, KernelCase>();
  for (const definition of definitions) {
    for (const layer of layerCases(definition, sizes, without, traits, wrong)) {
      if (layer.op.variants.length === 0 || !(allOps || CONVOLUTIONS.has(layer.op))) continue;
      const id = sizeKey(layer);
      const known = cases.get(id);
      const models = [...(known?.models ?? []), definition.name];
      cases.set(id, { ...(known ?? layer), id, models });
    }
  }
  return [...cases.values()].filter(({ id, name }) => `${name} ${id}`.includes(filter));
}

/**
 * Times every variant that fits a case: interleaved rounds, each of as many repetitions in one submit as last 2 ms.
 * Throws a UserError where the case is too large for the adapter.
 */
export async function benchCase(
  device: Device,
  one: KernelCase,
  { rounds, interleave: inTurn, peaks, choices = NO_CHOICES, extra = () => [], usedOnly = false }: KernelBenchOptions,
): Promise<KernelResult[]> {
  const extras = extra(one.op);
  const op: OpDefinition = { ...one.op, variants: [...one.op.variants, ...extras] };
  const { graph } = traceLayer({ ...one, op });
  const [node] = graph.nodes;
  if (!node) throw new UserError(`${one.name} is nothing to run`);
  const isExtra = (name: string) => extras.some((variant) => variant.name === name);
  const used = chooseVariant(one.op, { ...node, traits: device.traits }, choices)?.variant.name;
  const names = fittingVariants(node, device.traits).filter((name) => !usedOnly || name === used || isExtra(name));
  const cost = op.cost(node);
  const timings = await timeVariants(device, { ...one, op }, names, rounds, inTurn);
  return names.map((variant, index): KernelResult => {
    const { median, lower, upper, runs } = timings[index] as Timing;
    return {
      case: one.id,
      op: op.name,
      name: one.name,
      models: one.models,
      variant,
      used: variant === used,
      ...cost,
      median_ms: 1000 * median,
      lower_ms: 1000 * lower,
      upper_ms: 1000 * upper,
      runs,
      ...rateOf(cost, median, peaks),
    };
  });
}

/** Times variants of an op at one size, as benchCase does; in their order. */
export async function timeVariants(
  device: Device,
  layer: LayerCase,
  names: readonly string[],
  rounds: number,
  inTurn = interleave,
): Promise<Timing[]> {
  const { op } = layer;
  const values = layer.inputs.map((type) => type && valuesOf(type));
  const programs: Program[] = [];
  try {
    for (const name of names) programs.push(await compile(device, layer, name, values));
    // An input that a result is added to is copied first: that is no part of the op.
    const trials = programs.map(
      (program): Trial =>
        (repeats) =>
          program.time(repeats, ({ node }) => node.op === op),
    );
    const timings = await timeAll(trials, rounds, inTurn);
    device.check();
    return timings;
  } finally {
    for (const program of programs) program.destroy();
  }
}

/** Runs a variant so many times in one submit; gives the seconds of one. */
type Trial = (repeats: number) => Promise<number>;

async function timeAll(trials: readonly Trial[], rounds: number, inTurn: Interleave): Promise<Timing[]> {
  const seconds: number[] = [];
  for (const trial of trials) {
    const first = await trial(1);
    // The first run of a small kernel measures the caches; that of a large one is long enough to count.
    seconds.push(first > SHORTEST_RUN * 50 ? first : Math.min(first, await trial(1)));
  }
  const least = Math.min(...seconds);
  const hopeful = trials.flatMap((trial, index) => {
    const estimate = seconds[index] as number;
    if (estimate > HOPELESS * least) return [];
    const repeats = Math.min(MOST_REPEATS, Math.ceil(SHORTEST_RUN / Math.max(estimate, 1e-7)));
    return [{ index, run: () => trial(repeats) }];
  });
  const timings = seconds.map(single);
  const measured = await inTurn(
    hopeful.map(({ run }) => run),
    rounds,
  );
  hopeful.forEach(({ index }, position) => {
    timings[index] = measured[position] as Timing;
  });
  return timings;
}

type Values = ArrayBufferView<ArrayBuffer>;

async function compile(
  device: Device,
  layer: LayerCase,
  variant: string,
  values: readonly (Values | undefined)[],
): Promise<Program> {
  const { graph, inputs, results } = traceLayer(layer);
  const choose = (node: Node) => (node.op === layer.op ? variant : undefined);
  const program = await Program.compile(device, graph, { results, variant: choose });
  inputs.forEach((tensor, slot) => {
    const written = values[slot];
    if (tensor && written && program.uses(tensor)) program.write(tensor, written);
  });
  return program;
}

/** Numbers of about 1 that are no denormals, which a CPU is slow with; small words, as a pool's indices are. */
function valuesOf({ shape, dtype }: TensorType): Values {
  const count = elementCount(shape);
  if (dtype === 'u32') return Uint32Array.from({ length: count }, (_, index) => index % 4);
  const values = new Float32Array(count);
  for (let index = 0; index < count; index++) values[index] = ((index * 37) % 101) / 50 - 1.01;
  return dtype === 'f16' ? f16Words(values) : values;
}
