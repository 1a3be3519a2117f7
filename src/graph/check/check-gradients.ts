import { required } from '../../base/errors.ts';
import type { Device } from '../../gpu/device.ts';
import { filled, normal } from '../../kernels/draw.ts';
import { copy } from '../../kernels/elementwise.ts';
import type { Case, CaseInput, Element, OpCases } from '../../kernels/reference.ts';
import { gradients } from '../autograd.ts';
import type { Tensor } from '../graph.ts';
import { asReferences, compareResults, runGuarded } from './check-case.ts';
import { type Expected, expectedOf } from './expected.ts';
import { interpret } from './interpret.ts';
import { type TracedCase, traceCase } from './trace.ts';
import { variantChoices } from './variants.ts';

/** Relative step of the central differences: near the cube root of float64's epsilon, and a power of two. */
const STEP = 2 ** -17;
const EPSILON_64 = 2 ** -52;

interface Numeric {
  readonly value: number;
  /** How well the difference is known. */
  readonly error: number;
}

const numericOf = new WeakMap<Case<unknown>, readonly Numeric[][]>();

/** Gradient of an output: the weight of each of its elements in the sum that is differentiated. */
const seedOf = ({ loss }: OpCases, output: Tensor, index: number): CaseInput =>
  loss ? filled(output.shape, 1) : normal(`seed ${index}`, output.shape);

/** Central differences of sum(seed * output) by every element of every differentiated input. */
export function numericGradients(opCases: OpCases, one: Case<unknown>): readonly Numeric[][] {
  const known = numericOf.get(one);
  if (known) return known;
  const { graph, inputs, values, outputs } = traceCase(opCases, one);
  const seeds = outputs.map((output, index) => seedOf(opCases, output, index).values);
  const operands = asReferences(values);
  const evaluate = (): number[] => {
    const found = interpret(graph, operands);
    return outputs.flatMap((output) => (output.dtype === 'f32' ? [...required(found.get(output), output.name).values] : []));
  };
  const weights = outputs.flatMap((output, index) => (output.dtype === 'f32' ? [...(seeds[index] as Float32Array)] : []));
  const numeric = (one.differentiate ?? []).map((slot) => {
    const { values: numbers } = required(operands.get(inputs[slot] as Tensor), `input ${slot}`);
    return Array.from(numbers, (before, index): Numeric => {
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
      return { value: value / (2 * step), error: (4 * EPSILON_64 * size) / (2 * step) };
    });
  });
  numericOf.set(one, numeric);
  return numeric;
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
  const found = opCases.loss ? gradients(graph, targets, loss) : gradients(graph, targets, undefined, seeds);
  const results = targets.map((target) => {
    const gradient = required(found.get(target), `gradient of ${target.name}`);
    return required(graph.emit(copy, [gradient], {})[0], 'copy');
  });
  return { graph, values, results };
}

/** The numeric gradients with the tolerance of the float32 graph that computes them. */
function withNumericValues(expected: Expected, numeric: readonly Numeric[]): Expected {
  return {
    elements: expected.elements.map((element, index): Element => ({ ...element, value: numeric[index]?.value ?? Number.NaN })),
    tolerances: expected.tolerances.map((tolerance, index) => tolerance + (numeric[index]?.error ?? 0)),
  };
}

/**
 * Compares the gradients of a case's inputs with central differences of its float64 reference, for each variant that
 * fits; lines as those of checkCase.
 */
export async function checkGradients(device: Device, opCases: OpCases, one: Case<unknown>): Promise<string[]> {
  const numeric = numericGradients(opCases, one);
  const trace = () => traceGradients(opCases, one, traceCase(opCases, one));
  const lines: string[] = [];
  for (const { name, choose } of variantChoices(trace().graph, device.traits)) {
    const { graph, values, results } = trace();
    const own = expectedOf(graph, asReferences(values), results);
    const expected = new Map(
      results.map((tensor, index) => [
        tensor,
        withNumericValues(required(own.get(tensor), tensor.name), required(numeric[index], 'numeric gradient')),
      ]),
    );
    const run = await runGuarded({ device, graph, values, results, choose });
    const label = `gradient of ${opCases.op.name} "${one.name}" (${name})`;
    lines.push(...compareResults(label, run.results, expected), ...run.overruns.map((line) => `${label}: ${line}`));
  }
  return lines;
}
