import { required } from '../../base/errors.ts';
import { Random } from '../../base/random.ts';
import type { Device } from '../../gpu/device.ts';
import { filled, normal } from '../../kernels/draw.ts';
import { copy } from '../../kernels/elementwise.ts';
import type { Case, CaseInput, Element, OpCases, ReferenceTensor } from '../../kernels/reference.ts';
import { gradients } from '../autograd.ts';
import type { Tensor } from '../graph.ts';
import { asReferences, compareResults, runGuarded } from './check-case.ts';
import { differences } from './compare.ts';
import { type Expected, expectedOf } from './expected.ts';
import { interpret } from './interpret.ts';
import { type TracedCase, traceCase } from './trace.ts';
import { variantChoices } from './variants.ts';

/** Relative step of the central differences: near the cube root of float64's epsilon, and a power of two. */
const STEP = 2 ** -17;
const EPSILON_64 = 2 ** -52;

/** Elements of an input that are differentiated numerically: all, or so many drawn at random. */
const MOST_DIFFERENCES = 400;

interface Numeric {
  readonly index: number;
  readonly value: number;
  /** How well the difference is known. */
  readonly error: number;
}

const numericOf = new WeakMap<Case<unknown>, readonly Numeric[][]>();

/** Gradient of an output: the weight of each of its elements in the sum that is differentiated. */
const seedOf = ({ loss }: OpCases, output: Tensor, index: number): CaseInput =>
  loss ? filled(output.shape, 1) : normal(`seed ${index}`, output.shape);

/** Central differences of sum(seed * output) by elements of every differentiated input. */
function numericGradients(opCases: OpCases, one: Case<unknown>): readonly Numeric[][] {
  const known = numericOf.get(one);
  if (known) return known;
  const { graph, inputs, values, outputs } = traceCase(opCases, one);
  const summed = outputs.filter((output) => output.dtype === 'f32');
  const weights = summed.map((output) => seedOf(opCases, output, outputs.indexOf(output)).values);
  const operands = asReferences(values);
  const evaluate = (): number[] => {
    const found = interpret(graph, operands);
    return summed.flatMap((output) => [...required(found.get(output), output.name).values]);
  };
  const flatWeights = weights.flatMap((weight) => [...weight]);
  const numeric = (one.differentiate ?? []).map((slot) => {
    const { values: numbers } = required(operands.get(inputs[slot] as Tensor), `input ${slot}`);
    return sampled(numbers.length).map((index) => centralDifference(numbers, index, evaluate, flatWeights));
  });
  numericOf.set(one, numeric);
  return numeric;
}

const sampled = (count: number): number[] =>
  [...new Random(count).permutation(count).subarray(0, MOST_DIFFERENCES)].sort((a, b) => a - b);

function centralDifference(
  numbers: ReferenceTensor['values'],
  index: number,
  evaluate: () => number[],
  weights: readonly number[],
): Numeric {
  const before = numbers[index] as number;
  const step = STEP * Math.max(1, Math.abs(before));
  numbers[index] = before + step;
  const above = evaluate();
  numbers[index] = before - step;
  const below = evaluate();
  numbers[index] = before;
  let [value, size] = [0, 0];
  weights.forEach((weight, place) => {
    const [high, low] = [above[place] as number, below[place] as number];
    value += weight * (high - low);
    size += Math.abs(weight) * (Math.abs(high) + Math.abs(low));
  });
  return { index, value: value / (2 * step), error: (4 * EPSILON_64 * size) / (2 * step) };
}

/** Appends the gradients of a traced case, copied so that each is a contiguous result, in the order of `differentiate`. */
function traceGradients(opCases: OpCases, one: Case<unknown>, traced: TracedCase) {
  const { graph, inputs, outputs } = traced;
  const values = new Map(traced.values);
  const seeds = new Map<Tensor, Tensor>();
  outputs.forEach((output, index) => {
    if (output.dtype !== 'f32') return;
    const seed = graph.input(`seed ${index}`, output.shape);
    values.set(seed, seedOf(opCases, output, index));
    seeds.set(output, seed);
  });
  const targets = (one.differentiate ?? []).map((slot) => required(inputs[slot], `input ${slot}`));
  const [loss] = outputs;
  const found = opCases.loss ? gradients(graph, targets, loss ? [loss] : []) : gradients(graph, targets, [], seeds);
  const results = targets.map((target) => {
    const gradient = required(found.get(target), `gradient of ${target.name}`);
    return required(graph.emit(copy, [gradient], {})[0], 'copy');
  });
  return { graph, values, results };
}

/** The numeric gradients, each with the tolerance of the float32 graph that computes them. */
const withTolerances = ({ elements, tolerances }: Expected, numeric: readonly Numeric[]) =>
  numeric.map(({ index, value, error }) => ({
    index,
    element: { ...(elements[index] as Element), value },
    tolerance: (tolerances[index] as number) + error,
  }));

/**
 * Compares the gradients of a case's inputs with the float64 references of the ops that compute them, and up to 400 of
 * each input with central differences of the case itself, for each variant that fits; lines as those of checkCase.
 */
export async function checkGradients(device: Device, opCases: OpCases, one: Case<unknown>): Promise<string[]> {
  const numeric = numericGradients(opCases, one);
  const trace = () => traceGradients(opCases, one, traceCase(opCases, one));
  const lines: string[] = [];
  for (const { name, choose } of variantChoices(trace().graph, device.traits)) {
    const { graph, values, results } = trace();
    const expected = expectedOf(graph, asReferences(values), results);
    const run = await runGuarded({ device, graph, values, results, choose });
    const label = `gradient of ${opCases.op.name} "${one.name}" (${name})`;
    lines.push(...compareResults(label, run.results, expected), ...run.overruns.map((line) => `${label}: ${line}`));
    results.forEach((tensor, index) => {
      const wanted = withTolerances(required(expected.get(tensor), tensor.name), numeric[index] ?? []);
      const bytes = required(run.results.get(tensor), tensor.name);
      lines.push(
        ...differences(`${label}: central difference by input ${one.differentiate?.[index]}`, 'f32', bytes, wanted),
      );
    });
  }
  return lines;
}
