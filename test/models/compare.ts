import { required } from '../../src/base/errors.ts';
import { type StateDict, toFloat32 } from '../../src/weights/tensor-data.ts';
import { dot, l2 } from '../support/formula.ts';
import type { Fixture, GradientRow, ParameterRow, StatisticsRow } from './fixture.ts';

/** Allowed multiple of the distance of PyTorch's own float32 runs from float64. */
const NOISE = 10;
/** Share of a gradient's norm that single tipped rectifiers may move it by. */
const TIPPED = 0.02;

/** Relative error of Adam's step in f32: its roundings and those of the step's scalars. */
const STEP_ROUNDING = 8 * 2 ** -24;

/** One number against its reference. */
export interface Check {
  readonly what: string;
  readonly error: number;
  readonly tolerance: number;
}

/** The checks of one tensor. */
export interface Row {
  readonly key: string;
  readonly checks: readonly Check[];
}

const largest = (values: readonly number[]): number => Math.max(...values);

const check = (what: string, value: number | undefined, expected: number | undefined, tolerance: number): Check => ({
  what,
  error: Math.abs((value ?? Number.NaN) - (expected ?? Number.NaN)),
  tolerance,
});

const isInside = ({ error, tolerance }: Check): boolean => error <= tolerance;

/** Rows with every check inside its tolerance; NaN is outside. */
export const inside = (rows: readonly Row[]): Row[] => rows.filter(({ checks }) => checks.every(isInside));

/** The checks outside of their tolerance, as text. */
export const outside = (rows: readonly Row[]): string[] =>
  rows.flatMap(({ key, checks }) =>
    checks
      .filter((one) => !isInside(one))
      .map(
        ({ what, error, tolerance }) =>
          `${key} ${what}: off by ${error.toExponential(2)}, allowed ${tolerance.toExponential(2)}`,
      ),
  );

/** A list of values, such as logits or losses, against `noise` of PyTorch's float32 runs. */
export function compareValues(
  key: string,
  values: readonly number[],
  expected: readonly number[],
  noise: number | readonly number[],
): Row {
  const noiseOf = (index: number) => (typeof noise === 'number' ? noise : (noise[index] ?? 0));
  const checks = expected.map((value, index) => check(`[${index}]`, values[index], value, NOISE * noiseOf(index)));
  return { key, checks };
}

/**
 * The losses before each of Adam's steps and after the last. Adam's steps differ by their noise, and the later losses
 * follow the weights.
 */
export function compareLosses(losses: readonly number[], { train }: Fixture): Row {
  const { noise } = train;
  const [first = 0] = train.losses;
  const checks = train.losses.map((expected, index) => {
    const moved = noise.adam3_delta_rel_median * Math.abs(expected - first);
    return check(`[${index}]`, losses[index], expected, NOISE * ((noise.losses[index] ?? 0) + moved));
  });
  return { key: 'losses', checks };
}

/** Norm and projection of values, or of their distance from others, once for all comparisons: a VGG has 134 million. */
const summed = new WeakMap<Float32Array, { readonly from: Float32Array | undefined; l2: number; dot: number }>();

function sumsOf(values: Float32Array, from?: Float32Array): { readonly l2: number; readonly dot: number } {
  const known = summed.get(values);
  if (known && known.from === from) return known;
  const made = { from, l2: l2(values, from), dot: dot(values, from) };
  summed.set(values, made);
  return made;
}

const valuesOf = (state: StateDict, key: string): Float32Array => toFloat32(required(state.get(key), key));

/** Norm, projection, first and picked elements of every gradient, within 10 times the noise. */
export function compareGradients(gradients: StateDict, fixture: Fixture, mode: 'eval' | 'train'): Row[] {
  return fixture.parameters.map((parameter) =>
    compareGradient(valuesOf(gradients, parameter.key), parameter, required(parameter[mode], mode), (row) => ({
      whole: NOISE * largest(row.noise) * row.l2,
      element: NOISE * row.noise_max,
    })),
  );
}

/** The same within what tipped rectifiers explain. */
export function compareGradientsLoosely(gradients: StateDict, fixture: Fixture): Row[] {
  return fixture.parameters.map((parameter) =>
    compareGradient(valuesOf(gradients, parameter.key), parameter, parameter.train, (row) => ({
      whole: Math.max(NOISE * largest(row.noise), TIPPED) * row.l2,
      element: Math.max(NOISE * row.noise_max, TIPPED * row.l2),
    })),
  );
}

/** The branch of a fixture whose gradients fit best. */
export function closestBranch(
  gradients: StateDict,
  branches: readonly [Fixture, ...Fixture[]],
  mode: 'eval' | 'train' = 'train',
): Fixture {
  if (branches.length === 1) return branches[0];
  const fitting = (fixture: Fixture) => inside(compareGradients(gradients, fixture, mode)).length;
  return branches.reduce((best, one) => (fitting(one) > fitting(best) ? one : best));
}

function compareGradient(
  values: Float32Array,
  { key, pick }: ParameterRow,
  row: GradientRow,
  toleranceOf: (row: GradientRow) => { whole: number; element: number },
): Row {
  const { whole, element } = toleranceOf(row);
  const checks = [
    check('l2', sumsOf(values).l2, row.l2, whole),
    check('dot', sumsOf(values).dot, row.dot, whole),
    ...row.head.map((expected, index) => check(`head[${index}]`, values[index], expected, element)),
    ...row.pick.map((expected, index) => check(`element ${pick[index]}`, values[pick[index] ?? -1], expected, element)),
  ];
  return { key, checks };
}

/** Running statistics after one training forward pass. */
export function compareStatistics(statistics: StateDict, rows: readonly StatisticsRow[]): Row[] {
  return rows.map(({ key, sum, l2: norm, dot: projection, head, noise }) => {
    const values = valuesOf(statistics, key);
    const tolerance = NOISE * largest(noise) * norm;
    const total = values.reduce((all, value) => all + value, 0);
    const checks = [
      check('sum', total, sum, tolerance * Math.sqrt(values.length)),
      check('l2', l2(values), norm, tolerance),
      check('dot', dot(values), projection, tolerance),
      ...head.map((expected, index) => check(`head[${index}]`, values[index], expected, tolerance)),
    ];
    return { key, checks };
  });
}

/** Running statistics after four training forward passes, three Adam steps between them. */
export function compareLaterStatistics(first: StateDict, fourth: StateDict, fixture: Fixture): Row[] {
  return fixture.buffers.map(({ key, noise, l2: norm, ...after }) => {
    const values = valuesOf(fourth, key);
    // Adam's steps differ by their noise, and the statistics follow the weights.
    const start = valuesOf(first, key);
    const moved = l2(values.map((value, index) => value - (start[index] as number)));
    const tolerance = NOISE * (largest(noise) * norm + fixture.train.noise.adam3_delta_rel_median * moved);
    const checks = [
      check('l2', l2(values), after.after4_l2, tolerance),
      check('dot', dot(values), after.after4_dot, tolerance),
    ];
    return { key, checks };
  });
}

/**
 * What one step of Adam changes. `uncertain`: elements of each tensor whose gradient may be rounding alone, and whose step
 * then has a random sign.
 */
export function compareFirstStep(start: StateDict, after: StateDict, fixture: Fixture, uncertain = 0): Row[] {
  const { lr, eps } = fixture.adam;
  const update = (gradient: number) => (lr * gradient) / (Math.abs(gradient) + eps);
  return fixture.parameters.map(({ key, pick, train }) => {
    const before = valuesOf(start, key);
    const moved = valuesOf(after, key);
    const delta = sumsOf(moved, before);
    const tolerance = NOISE * largest(train.adam1.noise) * train.adam1.delta_l2 + 2 * lr * uncertain;
    const shown = pick.map((position, index) => ({ position, index, gradient: train.pick[index] as number }));
    const certain = shown.filter(({ gradient }) => Math.abs(gradient) > (1e-3 * train.l2) / Math.sqrt(moved.length));
    const elements = certain.map(({ position, index, gradient }) => {
      const shift = NOISE * train.noise_max;
      const spread = [-shift, shift].map((one) => Math.abs(update(gradient + one) - update(gradient)));
      const rounding = 2 ** -24 * Math.abs(before[position] as number) + lr * STEP_ROUNDING;
      const step = (moved[position] as number) - (before[position] as number);
      return check(`element ${position}`, step, train.adam1.delta_pick[index], largest(spread) + rounding);
    });
    const checks = [
      check('l2', delta.l2, train.adam1.delta_l2, tolerance),
      check('dot', delta.dot, train.adam1.delta_dot, tolerance),
      ...elements,
    ];
    return { key, checks };
  });
}

/** The parameters after three steps of Adam; `uncertain` as for the first, whose step may be wrong three times. */
export function compareThirdStep(after: StateDict, fixture: Fixture, uncertain = 0): Row[] {
  const { lr, steps } = fixture.adam;
  return fixture.parameters.map(({ key, pick, train: { adam3 } }) => {
    const values = valuesOf(after, key);
    const tolerance = NOISE * largest(adam3.noise) * adam3.delta_l2 + 2 * lr * steps * uncertain;
    const checks = [
      check('l2', sumsOf(values).l2, adam3.l2, tolerance),
      check('dot', sumsOf(values).dot, adam3.dot, tolerance),
      ...adam3.pick.map((expected, index) =>
        check(`element ${pick[index]}`, values[pick[index] ?? -1], expected, tolerance),
      ),
    ];
    return { key, checks };
  });
}
