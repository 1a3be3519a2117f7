import { beforeAll, describe, expect, test } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import { type PassName, passes } from '../../src/graph/passes/index.ts';
import type { StateDict } from '../../src/weights/tensor-data.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import {
  closestBranch,
  compareFirstStep,
  compareGradients,
  compareGradientsLoosely,
  compareLaterStatistics,
  compareStatistics,
  compareThirdStep,
  compareValues,
  inside,
  outside,
  type Row,
} from './compare.ts';
import { type Fixture, FixtureStep, formulaModel } from './fixture.ts';

/** Share of the tensors that a training step has within the noise; the others hold a gradient that is rounding alone. */
const MOST = 0.95;
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
async function trainFixture(device: Device, fixture: Fixture): Promise<Trained> {
  const model = formulaModel(device, fixture.model, fixture.gain);
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

/**
 * Tests of a network with the formula's weights against PyTorch in float64. `branches`: the fixture, and what else it
 * may be where rectifiers within rounding of zero tip. On every adapter: logits and losses; on a fast one all the rest.
 */
export function testAgainstPyTorch(device: () => Device, branches: readonly [Fixture, ...Fixture[]]): void {
  const [fixture] = branches;

  describe.each(['eval', 'train'] as const)('%s mode', (mode) => {
    test('logits and loss', async () => {
      const model = formulaModel(device(), fixture.model, fixture.gain);
      const step = await FixtureStep.create(model, fixture, mode);
      const { logits, loss } = await step.run();
      step.destroy();
      model.destroy();
      const { noise, losses } = fixture[mode];
      expectAll(`${mode} logits`, [compareValues('logits', logits, fixture[mode].logits, noise.logits)]);
      expectAll(`${mode} loss`, [compareValues('loss', [loss], losses.slice(0, 1), noise.losses)]);
    });
  });

  describeOnFastAdapter('gradients', () => {
    test.each([{ without: [], name: 'none' }, ...fewerPasses])(
      'eval mode, passes left out: $name',
      async ({ without }) => {
        expectAll(
          'eval gradients',
          compareGradients(await gradientsOf(device(), fixture, 'eval', without), fixture, 'eval'),
        );
      },
    );

    test.each(fewerPasses)('train mode, passes left out: $name', async ({ without }) => {
      const gradients = await gradientsOf(device(), fixture, 'train', without);
      expectMost('train gradients', compareGradients(gradients, closestBranch(gradients, branches), 'train'));
      expectAll('train gradients, loosely', compareGradientsLoosely(gradients, fixture));
    });
  });

  describeOnFastAdapter('three steps of Adam', () => {
    let trained: Trained;
    let branch: Fixture;
    beforeAll(async () => {
      trained = await trainFixture(device(), fixture);
      branch = closestBranch(trained.gradients, branches);
    });

    test('losses before each step and after the last', () => {
      const { losses, noise } = fixture.train;
      expectAll('losses', [compareValues('losses', trained.losses, losses, noise.losses)]);
    });

    test('gradients', () => {
      const plain = compareGradients(trained.gradients, fixture, 'train');
      report('train gradients, no rectifier tipped', plain);
      expectMost('train gradients', compareGradients(trained.gradients, branch, 'train'));
      expectAll('train gradients, loosely', compareGradientsLoosely(trained.gradients, fixture));
    });

    test('running statistics after one forward pass and after four', () => {
      const [, first, , fourth] = trained.states;
      expectAll('statistics after 1', compareStatistics(first, fixture.buffers));
      expectAll('statistics after 4', compareLaterStatistics(first, fourth, fixture));
    });

    test('parameters after one step and after three', () => {
      const [start, first, third] = trained.states;
      expectMost('parameters after 1 step', compareFirstStep(start, first, branch));
      expectAll('parameters after 1 step, loosely', compareFirstStep(start, first, branch, UNCERTAIN));
      expectAll('parameters after 3 steps', compareThirdStep(third, branch));
    });

    test('logits in eval mode after them', () => {
      const { after_eval_logits, noise } = fixture.train;
      expectAll('later logits', [
        compareValues('logits', trained.afterLogits, after_eval_logits, noise.after_eval_logits),
      ]);
    });
  });
}

async function gradientsOf(
  device: Device,
  fixture: Fixture,
  mode: 'eval' | 'train',
  without: readonly PassName[],
): Promise<StateDict> {
  const model = formulaModel(device, fixture.model, fixture.gain);
  const step = await FixtureStep.create(model, fixture, mode, { without });
  await step.run();
  const gradients = await step.gradients();
  step.destroy();
  model.destroy();
  return gradients;
}
