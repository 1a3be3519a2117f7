import { OutOfMemoryError, UserError } from '../base/errors.ts';
import type { AdapterTraits } from '../base/traits.ts';
import type { Device } from '../gpu/device.ts';
import { type Choices, isWrong, sizeKey, variantsThatFit, type WrongVariant } from '../graph/choices.ts';
import type { Plan } from '../graph/plan.ts';
import { checkLayer, prepareCheck } from '../models/check-layer.ts';
import { type LayerCase, layerOf } from '../models/layer-cases.ts';
import type { Timing } from './interleave.ts';
import { timeVariants } from './kernels.ts';

/** An op at a size, with every variant that fits there: one at least. */
export interface Tunable extends LayerCase {
  /** sizeKey. */
  readonly key: string;
  readonly variants: readonly string[];
}

/** The medians of the variants that are right, in seconds. */
interface Timed {
  readonly one: Tunable;
  readonly seconds: ReadonlyMap<string, number>;
}

export interface TuneOptions {
  readonly rounds: number;
  readonly signal: AbortSignal;
  /** Tells what is wrong or left out, a line each. */
  note(line: string): void;
  onProgress(done: number, total: number): void;
}

/** Arithmetic of the float64 reference of one case, about a second of it. */
const MOST_REFERENCE_FLOPS = 5e7;
/** A variant has to take less than this share of the time of one before it in the op's order: below it is noise. */
const LEAST_GAIN = 0.9;

/** Every op that plans run, with its sizes. */
export const layersOf = (plans: readonly Plan[]): LayerCase[] =>
  plans.flatMap(({ launches }) => launches.map(({ node }) => layerOf(node)));

/** Whatever a variant is taken for, each size once. */
export function tunablesOf(layers: readonly LayerCase[], traits: AdapterTraits): Tunable[] {
  const found = new Map<string, Tunable>();
  for (const layer of layers) {
    const { op, inputs, attributes } = layer;
    const key = sizeKey(layer);
    if (found.has(key)) continue;
    const fitting = variantsThatFit(op, { inputs, outputs: op.shape(inputs, attributes), attributes, traits });
    if (fitting.length > 0) found.set(key, { ...layer, key, variants: fitting.map(({ name }) => name) });
  }
  return [...found.values()];
}

/**
 * Checks every variant against the float64 reference, times those that are right where there was more than one, and
 * chooses the fastest. One that is wrong at one size is used at none. Of `before`, what was found at other sizes stays.
 */
export async function tune(
  device: Device,
  tunables: readonly Tunable[],
  before: Choices,
  options: TuneOptions,
): Promise<Choices> {
  const seen = new Set(tunables.map(({ key }) => key));
  const wrong = before.wrong.filter(({ size }) => !seen.has(size));
  const timed: Timed[] = [];
  for (const [index, one] of tunables.entries()) {
    options.signal.throwIfAborted();
    try {
      const faults = await checkAll(device, one);
      for (const { op, variant, fault } of faults) {
        options.note(`${op}: the variant ${variant} is wrong on this adapter and will not be used: ${fault}`);
      }
      wrong.push(...faults);
      const right = hasChoice(one) ? one.variants.filter((variant) => !isWrong(wrong, one.op.name, variant)) : [];
      const timings = right.length > 0 ? await timeVariants(device, one, right, options.rounds) : [];
      timed.push({ one, seconds: new Map(right.map((name, at) => [name, (timings[at] as Timing).median])) });
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
      options.note(`${one.name} is not checked: ${error.message}`);
    }
    options.onProgress(index + 1, tunables.length);
  }
  return { choices: { ...withoutWrong(before.choices, wrong), ...chooseFastest(timed, wrong) }, wrong };
}

/** Whether there is anything to choose from. */
export const hasChoice = ({ variants }: Tunable): boolean => variants.length > 1;

/** What is wrong with each variant. Throws an OutOfMemoryError where the case does not fit beside what is there. */
async function checkAll(device: Device, one: Tunable): Promise<WrongVariant[]> {
  const check = prepareCheck(one, MOST_REFERENCE_FLOPS);
  const wrong: WrongVariant[] = [];
  for (const variant of one.variants) {
    const fault = await faultOf(() => checkLayer(device, check, variant));
    if (fault !== undefined) wrong.push({ op: one.op.name, variant, size: one.key, fault });
  }
  return wrong;
}

async function faultOf(check: () => Promise<string[]>): Promise<string | undefined> {
  try {
    return (await check())[0];
  } catch (error) {
    if (error instanceof UserError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    return `does not run: ${message.split('\n')[0]}`;
  }
}

/** Choices at other sizes may be of what was found wrong only now. A size's key begins with the op's name. */
const withoutWrong = (choices: Choices['choices'], wrong: readonly WrongVariant[]): Choices['choices'] =>
  Object.fromEntries(
    Object.entries(choices).filter(([key, variant]) => !isWrong(wrong, key.split(' ')[0] as string, variant)),
  );

function chooseFastest(timed: readonly Timed[], wrong: readonly WrongVariant[]): Record<string, string> {
  const chosen: Record<string, string> = {};
  for (const { one, seconds } of timed) {
    // One that was right here may have been found wrong later.
    const [first, ...others] = [...seconds].filter(([variant]) => !isWrong(wrong, one.op.name, variant));
    if (!first) continue;
    const fastest = others.reduce((best, other) => (other[1] < LEAST_GAIN * best[1] ? other : best), first);
    chosen[one.key] = fastest[0];
  }
  return chosen;
}
