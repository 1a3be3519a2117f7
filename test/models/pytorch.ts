import { beforeAll, describe, expect, test } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import { type PassName, passNames } from '../../src/graph/passes/index.ts';
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
import {
  type Fixture,
  FixtureStep,
  formulaModel,
  formulaStateOnce,
  inEvaluation,
  readLogits,
  withoutNoisy,
} from './fixture.ts';
import { meanLoss } from './loss.ts';
import { ALL } from './tier.ts';

/** Share of the tensors that a training step has within the noise; the others hold a gradient that is rounding alone. */
const MOST = 0.95;
/** Where PyTorch's own float32 runs are further than this from float64, a rectifier tipped in one of them. */
const NOISY = 1e-3;
/** Elements of one tensor whose first step of Adam may have a random sign. */
const UNCERTAIN = 2;

/** Each of some passes left out, and all that there are. */
const choicesOf = (among: readonly PassName[]) =>
  [...among.map((pass) => [pass]), passNames].map((without) => ({ without, name: without.join(', ') }));

/** A VGG moves 2 GB of states about in a test. In milliseconds. */
const LONGEST = 600_000;

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

/** How what three steps of Adam leave differs from PyTorch's. */
interface Trained {
  /** The fixture whose tipped rectifiers fit best. */
  readonly branch: Fixture;
  readonly logits: readonly number[];
  readonly losses: readonly number[];
  readonly afterLogits: readonly number[];
  readonly gradients: { readonly plain: Row[]; readonly most: Row[]; readonly loosely: Row[] };
  /** After the first step and after the fourth forward pass. */
  readonly statistics: { readonly first: Row[]; readonly fourth: Row[] };
  /** `most`: without what is noisy in PyTorch too; `loosely`: with an allowance for elements that are rounding alone. */
  readonly firstStep: { readonly most: Row[]; readonly loosely: Row[] };
  readonly thirdStep: { readonly most: Row[]; readonly loosely: Row[] };
}

/** Rows of a training step's gradients against the branch that fits best, which is returned. */
function compareTraining(gradients: StateDict, branches: readonly [Fixture, ...Fixture[]]) {
  const [fixture] = branches;
  const closest = closestBranch(gradients, branches);
  const rows = {
    plain: compareGradients(gradients, withoutZero(fixture), 'train'),
    most: compareGradients(gradients, withoutNoisy(closest, NOISY), 'train'),
    loosely: compareGradientsLoosely(gradients, withoutZero(fixture)),
  };
  return { branch: withoutZero(closest), rows };
}

/**
 * Three steps of Adam, a fourth forward pass, and the logits in evaluation mode after them. Each state is compared when it
 * is there: all of them would be 2 GB of a VGG.
 */
async function trainFixture(device: Device, { definition, branches }: Expected): Promise<Trained> {
  const [fixture] = branches;
  const model = formulaModel(device, definition, fixture.gain);
  const step = await FixtureStep.create(model, fixture, 'train');
  const { lr } = fixture.adam;
  const start = formulaStateOnce(model, fixture.gain);
  const { logits, loss } = await step.run(lr);
  const { branch, rows: gradients } = compareTraining(await step.gradients(), branches);
  const quiet = withoutNoisy(branch, NOISY);
  const afterFirst = await model.stateDict();
  const firstStep = {
    most: compareFirstStep(start, afterFirst, quiet),
    loosely: compareFirstStep(start, afterFirst, branch, UNCERTAIN),
  };
  const first = compareStatistics(afterFirst, fixture.buffers);
  const firstStatistics: StateDict = new Map([...afterFirst].filter(([key]) => key.includes('running_')));
  afterFirst.clear();
  const losses = [loss, (await step.run(lr)).loss, (await step.run(lr)).loss];
  const afterThird = await model.stateDict();
  const thirdStep = {
    most: compareThirdStep(afterThird, quiet),
    loosely: compareThirdStep(afterThird, branch, UNCERTAIN),
  };
  afterThird.clear();
  losses.push((await step.run()).loss);
  const fourth = compareLaterStatistics(firstStatistics, await model.stateDict(), fixture);
  step.destroy();
  const afterLogits = await readLogits(model, fixture, 'train');
  model.destroy();
  return { branch, logits, losses, afterLogits, gradients, statistics: { first, fourth }, firstStep, thirdStep };
}

/** A network, and what PyTorch makes of it. */
interface Expected {
  readonly definition: ModelDefinition;
  /** The fixture, and what else it may be where rectifiers within rounding of zero tip. */
  readonly branches: readonly [Fixture, ...Fixture[]];
  /** The same of the gradients in evaluation mode; default: the fixture alone. */
  readonly evaluations?: readonly [Fixture, ...Fixture[]];
  /** Whether a rectifier tips after the first step too, for which there are no branches. */
  readonly tipsLater?: boolean;
}

function expectForward(
  mode: 'eval' | 'train',
  fixture: Fixture,
  { logits, loss }: { logits: readonly number[]; loss: number },
): void {
  const { noise, losses, logits: expected } = fixture[mode];
  expectAll(`${mode} logits`, [compareValues('logits', logits, expected, noise.logits)]);
  expectAll(`${mode} loss`, [compareValues('loss', [loss], losses.slice(0, 1), noise.losses)]);
}

/** Logits and loss of a network in eval mode without its backward pass, which takes a fraction of a training step. */
export function testInference(device: () => Device, { definition, branches: [fixture] }: Expected): void {
  test(
    'logits and loss in eval mode',
    async () => {
      const model = formulaModel(device(), definition, fixture.gain);
      const logits = await readLogits(model, fixture, 'eval');
      model.destroy();
      expectForward('eval', fixture, { logits, loss: meanLoss(logits, fixture.target) });
    },
    LONGEST,
  );
}

/** Logits and losses of a network with the formula's weights, in both modes, against PyTorch in float64. */
export function testLogits(device: () => Device, { definition, branches: [fixture] }: Expected): void {
  test.each(['eval', 'train'] as const)('logits and loss in %s mode', async (mode) => {
    const model = formulaModel(device(), definition, fixture.gain);
    const step = await FixtureStep.create(model, fixture, mode);
    const { logits, loss } = await step.run();
    step.destroy();
    model.destroy();
    expectForward(mode, fixture, { logits, loss });
  });

  test.each([{ without: [] }, { without: passNames }])(
    'logits of a plan without gradients, without $without',
    async ({ without }) => {
      const model = formulaModel(device(), definition, fixture.gain);
      const logits = await readLogits(model, fixture, 'eval', without);
      model.destroy();
      const { noise, logits: wanted } = fixture.eval;
      expectAll('eval logits', [compareValues('logits', logits, wanted, noise.logits)]);
    },
  );
}

/** The gradients of every parameter with each of the graph passes left out, and with all of them. */
export function testPasses(device: () => Device, { definition, branches }: Expected): void {
  const [fixture] = branches;

  // With batch statistics, below, each pass is left out alone as well.
  test.each(choicesOf(ALL ? passNames : []))('gradients in eval mode without $name', async ({ without }) => {
    const { gradients } = await computed(device(), { definition, fixture, mode: 'eval', without });
    expectAll('eval gradients', compareGradients(gradients, inEvaluation(fixture), 'eval'));
  });

  testTrainingPasses(device, { definition, branches });
}

/** Logits, loss, gradients and running statistics of a training step with each of some passes left out, and with all. */
export function testTrainingPasses(
  device: () => Device,
  { definition, branches }: Expected,
  among: readonly PassName[] = passNames,
): void {
  const [fixture] = branches;

  test.each(choicesOf(among))('a training step without $name', async ({ without }) => {
    const found = await computed(device(), { definition, fixture, mode: 'train', without });
    expectForward('train', fixture, found);
    expectTrainingGradients(found.gradients, branches);
    expectAll('statistics', compareStatistics(found.statistics, fixture.buffers));
  });
}

/** Logits, loss and the gradients of every parameter in eval mode. */
export function testEvaluation(device: () => Device, { definition, branches: [fixture], evaluations }: Expected): void {
  test(
    'logits, loss and gradients in eval mode',
    async () => {
      const { gradients, ...found } = await computed(device(), { definition, fixture, mode: 'eval', without: [] });
      expectForward('eval', fixture, found);
      const [first, ...others] = (evaluations ?? [fixture]).map(inEvaluation) as [Fixture, ...Fixture[]];
      const closest = closestBranch(gradients, [first, ...others], 'eval');
      if (closest !== first) report('eval gradients, no rectifier tipped', compareGradients(gradients, first, 'eval'));
      expectAll('eval gradients', compareGradients(gradients, closest, 'eval'));
    },
    LONGEST,
  );
}

/** Everything that three steps of Adam change. */
export function testTraining(device: () => Device, { definition, branches, tipsLater = false }: Expected): void {
  const [fixture] = branches;

  describe('three steps of Adam', () => {
    let trained: Trained;
    beforeAll(async () => {
      trained = await trainFixture(device(), { definition, branches });
    }, LONGEST);

    test('logits', () => {
      expectForward('train', fixture, { logits: trained.logits, loss: trained.losses[0] ?? Number.NaN });
    });

    test('losses before each step and after the last', () => {
      expectAll('losses', [compareLosses(trained.losses, trained.branch)]);
    });

    test('gradients', () => {
      const { plain, most, loosely } = trained.gradients;
      report('train gradients, no rectifier tipped', plain);
      expectMost('train gradients', most);
      expectAll('train gradients, loosely', loosely);
    });

    test('running statistics after one forward pass and after four', () => {
      if (fixture.buffers.length === 0) return;
      expectAll('statistics after 1', trained.statistics.first);
      expectAll('statistics after 4', trained.statistics.fourth);
    });

    test('parameters after one step and after three', () => {
      const { firstStep, thirdStep } = trained;
      expectMost('parameters after 1 step', firstStep.most);
      expectAll('parameters after 1 step, loosely', firstStep.loosely);
      if (tipsLater) report('parameters after 3 steps', thirdStep.most);
      else expectMost('parameters after 3 steps', thirdStep.most);
      expectAll('parameters after 3 steps, loosely', thirdStep.loosely);
    });

    test('logits in eval mode after them', () => {
      const { after_eval_logits, noise } = trained.branch.train;
      expectAll('later logits', [
        compareValues('logits', trained.afterLogits, after_eval_logits, noise.after_eval_logits),
      ]);
    });
  });
}

function expectTrainingGradients(gradients: StateDict, branches: readonly [Fixture, ...Fixture[]]): void {
  const { most, loosely } = compareTraining(gradients, branches).rows;
  expectMost('train gradients', most);
  expectAll('train gradients, loosely', loosely);
}

async function computed(
  device: Device,
  from: { definition: ModelDefinition; fixture: Fixture; mode: 'eval' | 'train'; without: readonly PassName[] },
): Promise<{ logits: number[]; loss: number; gradients: StateDict; statistics: StateDict }> {
  const { definition, fixture, mode, without } = from;
  const model = formulaModel(device, definition, fixture.gain);
  const step = await FixtureStep.create(model, fixture, mode, { without });
  const { logits, loss } = await step.run();
  const gradients = await step.gradients();
  const statistics = model.named(await model.statistics.read());
  step.destroy();
  model.destroy();
  return { logits, loss, gradients, statistics };
}
