import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { fnv1a32, Random } from '../../src/base/random.ts';
import { bootstrapLevels, type ScoreName } from '../../src/train/bootstrap.ts';
import type { Prediction } from '../../src/train/metrics.ts';
import { adapterKind } from '../support/adapter.ts';
import { PYTHON, SKLEARN_TAG } from '../support/pytorch.ts';
import { fabricateImages } from '../train/fabricated-run.ts';
import { type Case, expectFacts, type Facts } from './expect-facts.ts';

const SCRIPT = fileURLToPath(new URL('answer.py', import.meta.url));
const CASES = 60;
const RESAMPLES = 40;
const SEED = 4;

interface Answer {
  readonly cases: readonly Facts[];
  readonly intervals: Record<ScoreName, [number, number]>;
}

/** Few and many cases, of one class and of two, with ties and at the edges of bins; every tenth of one class. */
function randomCases(): Case[] {
  const random = new Random(11);
  return Array.from({ length: CASES }, (_, number) => {
    const count = 1 + random.integer(number < CASES / 2 ? 12 : 400);
    const share = number % 10 === 0 ? random.integer(2) : random.uniform(0.1, 0.9);
    const steps = random.pick([2, 5, 15, 100, 1e6]);
    const skill = random.uniform(-0.5, 3);
    const labels = Array.from({ length: count }, () => (random.chance(share) ? 1 : 0));
    const probabilities = labels.map((label) => {
      const logit = skill * (label - 0.5) + random.normal();
      return Math.round(steps / (1 + Math.exp(-2 * logit))) / steps;
    });
    return { labels, probabilities };
  });
}

/** How often each patient is in each resample of the bootstrap. */
function drawn(patients: number): number[][] {
  const random = new Random(SEED, fnv1a32('bootstrap'));
  return Array.from({ length: RESAMPLES }, () => {
    const times = new Array<number>(patients).fill(0);
    for (let draw = 0; draw < patients; draw++) {
      const patient = random.integer(patients);
      times[patient] = (times[patient] ?? 0) + 1;
    }
    return times;
  });
}

function ask(cases: readonly Case[], images: readonly Prediction[]): Answer {
  const names = [...new Set(images.map(({ patient }) => patient))];
  const resampled = {
    labels: images.map(({ label }) => label),
    probabilities: images.map(({ probability }) => probability),
    patients: images.map(({ patient }) => names.indexOf(patient)),
    times: drawn(names.length),
  };
  const env = { ...process.env, OMP_NUM_THREADS: '1' };
  const input = JSON.stringify({ cases, resampled });
  return JSON.parse(execFileSync(PYTHON, [SCRIPT], { input, env, maxBuffer: 2 ** 26, encoding: 'utf8' }));
}

describe.skipIf(adapterKind === 'embedded' || !inject('sklearn'))('scikit-learn', { tags: [SKLEARN_TAG] }, () => {
  const cases = randomCases();
  const { predictions } = fabricateImages({ model: 'none', skill: 1.2, seed: 5, patients: 60 });
  let answer: Answer;
  beforeAll(() => {
    answer = ask(cases, predictions);
  });

  test('scores, ROC curve, calibration and temperature of random cases', () => {
    expect(answer.cases).toHaveLength(CASES);
    for (const [index, one] of cases.entries()) expectFacts(one, answer.cases[index] as Facts);
    // The cases hold what is hard.
    expect(answer.cases.filter(({ roc }) => roc === null).length).toBeGreaterThan(5);
    expect(answer.cases.filter(({ temperature }) => temperature !== null).length).toBeGreaterThan(20);
  });

  test('bootstrap intervals of the same resamples', () => {
    const { images } = bootstrapLevels(predictions, { seed: SEED, resamples: RESAMPLES });
    for (const [name, [low, high]] of Object.entries(answer.intervals) as [ScoreName, [number, number]][]) {
      expect(images[name]?.low, name).toBeCloseTo(low, 12);
      expect(images[name]?.high, name).toBeCloseTo(high, 12);
    }
  });
});
