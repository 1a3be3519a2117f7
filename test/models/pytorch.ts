import { beforeAll, describe, expect, test } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import { type PassName, passes } from '../../src/graph/passes/index.ts';
import type { ModelDefinition } from '../../src/models/definition.ts';
import type { StateDict } from '../../src/weights/tensor-data.ts';
import {
  closestBranch,
  compareFirstStep,
  compareGradients,
  compareGradientsLoosely,
  compareLaterStatistics,
  compareLosses,
  compareStatistics,
  compareThirdStep,
  compareValues,
  inside,
  outside,
  type Row,
} from './compare.ts';
import { type Fixture, FixtureStep, formulaModel, withoutNoisy } from './fixture.ts';

/** Share of the tensors that a training step has within the noise; the others hold a gradient that is rounding alone. */
const MOST = 0.95;
/** Where PyTorch's own float32 runs are further than this from float64, a rectifier tipped in one of them. */
const NOISY = 1e-3;
/** Elements of one tensor whose first step of Adam may have a random sign. */
const UNCERTAIN = 2;

const all = Object.keys(passes) as PassName[];
const fewerPasses = [...all.map((pass) => [pass]), all].map((without) => ({ without, name: without.join(', ') }));

/** Prints how many rows are inside, and by how much of the tolerance the worst number is off. */
function report(what: string, rows: readonly Row[]): void {
  const worst = Math.max(...rows.flatMap(({ checks }) => checks.map(({ error, tolerance }) => error / tolerance)));
  console.log(
    `${what}: ${inside(rows).length} of ${rows.length} within tolerance, the worst at ${worst.toPrecision(2)} of it`,
  );
}

/** Without the parameters whose gradient is rounding alone. */
const withoutZero = (fixture: Fixture): Fixture => withoutNoisy(fixture, Number.POSITIVE_INFINITY);

function expectAll(what: string, rows: readonly Row[]): void {
  report(what, rows);
  expect(rows.length).toBeGreaterThan(0);
  expect(outside(rows)).toEqual([]);
}

function expectMost(what: string, rows: readonly Row[]): void {
  report(what, rows);
  expect(inside(rows).length).toBeGreaterThanOrEqual(MOST * rows.length);
}

interface Trained {
  readonly logits: readonly number[];
  readonly losses: readonly number[];
  readonly gradients: StateDict;
  /** The model's state before the first step, after it, after the third, and after the fourth forward pass. */
  readonly states: readonly [StateDict, StateDict, StateDict, StateDict];
  readonly afterLogits: readonly number[];
}

/** Three steps of Adam, a fourth forward pass, and the logits in evaluation mode after them. */
async function trainFixture(device: Device, definition: ModelDefinition, fixture: Fixture): Promise<Trained> {
  const model = formulaModel(device, definition, fixture.gain);
  const step = await FixtureStep.create(model, fixture, 'train');
  const { lr } = fixture.adam;
  const start = await model.stateDict();
  const first = await step.run(lr);
  const gradients = await step.gradients();
  const afterFirst = await model.stateDict();
  const losses = [first.loss, (await step.run(lr)).loss, (await step.run(lr)).loss];
  const afterThird = await model.stateDict();
  losses.push((await step.run()).loss);
  const afterFourth = await model.stateDict();
  step.destroy();
  const evaluation = await FixtureStep.create(model, fixture, 'train', { training: false });
  const { logits: afterLogits } = await evaluation.run();
  evaluation.destroy();
  model.destroy();
  return { logits: first.logits, losses, gradients, states: [start, afterFirst, afterThird, afterFourth], afterLogits };
}

/** A network, and what PyTorch makes of it. */
interface Expected {
  readonly definition: ModelDefinition;
  /** The fixture, and what else it may be where rectifiers within rounding of zero tip. */
  readonly branches: readonly [Fixture, ...Fixture[]];
}

/** Logits and losses of a network with the formula's weights, in both modes, against PyTorch in float64. */
export function testLogits(device: () => Device, { definition, branches: [fixture] }: Expected): void {
  test.each(['eval', 'train'] as const)('logits and loss in %s mode', async (mode) => {
    const model = formulaModel(device(), definition, fixture.gain);
    const step = await FixtureStep.create(model, fixture, mode);
    const { logits, loss } = await step.run();
    step.destroy();
    model.destroy();
    const { noise, losses } = fixture[mode];
    expectAll(`${mode} logits`, [compareValues('logits', logits, fixture[mode].logits, noise.logits)]);
    expectAll(`${mode} loss`, [compareValues('loss', [loss], losses.slice(0, 1), noise.losses)]);
  });
}

/** The gradients of every parameter with each of the graph passes left out, and with all of them. */
export function testPasses(device: () => Device, { definition, branches }: Expected): void {
  const [fixture] = branches;

  test.each(fewerPasses)('gradients in eval mode without $name', async ({ without }) => {
    const gradients = await gradientsOf(device(), { definition, fixture, mode: 'eval', without });
    expectAll('eval gradients', compareGradients(gradients, fixture, 'eval'));
  });

  test.each(fewerPasses)('gradients in train mode without $name', async ({ without }) => {
    const gradients = await gradientsOf(device(), { definition, fixture, mode: 'train', without });
    expectTrainingGradients(gradients, branches);
  });
}

/** The gradients of every parameter in eval mode, and everything that three steps of Adam change. */
export function testTraining(device: () => Device, { definition, branches }: Expected): void {
  const [fixture] = branches;

  test('gradients in eval mode', async () => {
    const gradients = await gradientsOf(device(), { definition, fixture, mode: 'eval', without: [] });
    expectAll('eval gradients', compareGradients(gradients, fixture, 'eval'));
  });

  describe('three steps of Adam', () => {
    let trained: Trained;
    let branch: Fixture;
    beforeAll(async () => {
      trained = await trainFixture(device(), definition, fixture);
      branch = withoutZero(closestBranch(trained.gradients, branches));
    });

    test('losses before each step and after the last', () => {
      expectAll('losses', [compareLosses(trained.losses, branch)]);
    });

    test('gradients', () => {
      report('train gradients, no rectifier tipped', compareGradients(trained.gradients, fixture, 'train'));
      expectTrainingGradients(trained.gradients, branches);
    });

    test('running statistics after one forward pass and after four', () => {
      const [, first, , fourth] = trained.states;
      expectAll('statistics after 1', compareStatistics(first, fixture.buffers));
      expectAll('statistics after 4', compareLaterStatistics(first, fourth, fixture));
    });

    test('parameters after one step and after three', () => {
      const [start, first, third] = trained.states;
      expectMost('parameters after 1 step', compareFirstStep(start, first, withoutNoisy(branch, NOISY)));
      expectAll('parameters after 1 step, loosely', compareFirstStep(start, first, branch, UNCERTAIN));
      expectMost('parameters after 3 steps', compareThirdStep(third, withoutNoisy(branch, NOISY)));
      expectAll('parameters after 3 steps, loosely', compareThirdStep(third, branch, UNCERTAIN));
    });

    test('logits in eval mode after them', () => {
      const { after_eval_logits, noise } = branch.train;
      expectAll('later logits', [
        compareValues('logits', trained.afterLogits, after_eval_logits, noise.after_eval_logits),
      ]);
    });
  });
}

function expectTrainingGradients(gradients: StateDict, branches: readonly [Fixture, ...Fixture[]]): void {
  const closest = withoutNoisy(closestBranch(gradients, branches), NOISY);
  expectMost('train gradients', compareGradients(gradients, closest, 'train'));
  const [fixture] = branches;
  expectAll('train gradients, loosely', compareGradientsLoosely(gradients, withoutZero(fixture)));
}

async function gradientsOf(
  device: Device,
  from: { definition: ModelDefinition; fixture: Fixture; mode: 'eval' | 'train'; without: readonly PassName[] },
): Promise<StateDict> {
  const { definition, fixture, mode, without } = from;
  const model = formulaModel(device, definition, fixture.gain);
  const step = await FixtureStep.create(model, fixture, mode, { without });
  await step.run();
  const gradients = await step.gradients();
  step.destroy();
  model.destroy();
  return gradients;
}
