import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Prediction, Scores } from '../../src/train/metrics.ts';
import { evaluate, rank, rocAuc, score, scoresOf, studyPredictions } from '../../src/train/metrics.ts';

function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../golden/${name}`, import.meta.url), 'utf8')) as T;
}

type Table = Record<'tp' | 'fp' | 'fn' | 'tn', number> & Omit<Scores, 'count' | 'auc'>;
type Reference = Omit<Scores, 'count'>;
const oracle = golden<{
  examples: Table[];
  degenerate: Table[];
  auroc: { scores: number[]; labels: number[]; auroc: number };
  study_mean: Record<string, { images: number[]; mean: number }>;
}>('metrics.json');
const sklearn = golden<{
  cases: { labels: number[]; probabilities: number[]; scores: Reference; weights: number[]; weighted: Reference }[];
  patients: { rows: [string, string, 0 | 1, number][]; images: Reference; studies: Reference };
}>('scores.json');

function expectScores(got: Scores, expected: Reference): void {
  for (const [name, value] of Object.entries(expected) as [keyof Reference, number | null][]) {
    if (value === null) expect(got[name], name).toBeNull();
    else expect(got[name], name).toBeCloseTo(value, 12);
  }
}

describe('scoresOf', () => {
  it.each([...oracle.examples, ...oracle.degenerate])('scores tp $tp, fp $fp, fn $fn, tn $tn', (table) => {
    const { tp, fp, fn, tn, accuracy, precision, recall, f1, kappa } = table;
    const got = scoresOf({ truePositive: tp, falsePositive: fp, falseNegative: fn, trueNegative: tn }, null);
    expect(got.count).toBe(tp + fp + fn + tn);
    expectScores(got, { accuracy, precision, recall, f1, kappa, auc: null });
  });

  it('has no score of no cases', () => {
    const none = { accuracy: null, precision: null, recall: null, f1: null, kappa: null, auc: null };
    expect(score(rank([], []))).toEqual({ count: 0, ...none });
  });
});

describe('score', () => {
  it.each(sklearn.cases.map((one, index) => ({ index, ...one })))('is scikit-learn on case $index', (one) => {
    const cases = rank(one.labels, one.probabilities);
    expectScores(score(cases), one.scores);
    expectScores(score(cases, one.weights), one.weighted);
  });

  it('ranks the oracle example with ties', () => {
    const { labels, scores, auroc } = oracle.auroc;
    expect(rocAuc(rank(labels, scores))).toBeCloseTo(auroc, 14);
  });

  it('has no area where a class is absent, and a half where all are tied', () => {
    expect(rocAuc(rank([1, 1], [0.2, 0.9]))).toBeNull();
    expect(rocAuc(rank([0, 0], [0.2, 0.9]))).toBeNull();
    expect(rocAuc(rank([0, 1, 1], [0.4, 0.4, 0.4]))).toBe(0.5);
  });

  it('calls exactly 0.5 normal', () => {
    expect(score(rank([1, 1], [0.5, 0.5000001])).recall).toBe(0.5);
  });

  it.each([Number.NaN, -0.1, 1.1])('refuses %d as a probability', (value) => {
    expect(() => rank([1, 0], [0.5, value])).toThrow('probability 1 is');
  });
});

const image = (study: string, label: 0 | 1, probability: number): Prediction => {
  const [region = '', patient = ''] = study.split('/');
  return { region, patient, study, label, probability };
};

describe('studyPredictions', () => {
  it('takes the mean of a study', () => {
    const images = Object.entries(oracle.study_mean).flatMap(([study, { images: values }]) =>
      values.map((value) => image(study, 1, value)),
    );
    const means = Object.values(oracle.study_mean).map((study) => study.mean);
    studyPredictions(images).forEach((study, index) => {
      expect(study.probability).toBeCloseTo(means[index] as number, 15);
    });
    expect(studyPredictions(images)).toHaveLength(means.length);
  });

  it('refuses a study with two labels', () => {
    expect(() => studyPredictions([image('A/p/s', 0, 0.1), image('A/p/s', 1, 0.1)])).toThrowErrorMatchingInlineSnapshot(
      `[UserError: metrics: study A/p/s has images with label 0 and with label 1, expected one label]`,
    );
  });
});

describe('evaluate', () => {
  it('is scikit-learn at both levels', () => {
    const rows = sklearn.patients.rows.map(([, study, label, value]) => image(`XR_HAND/${study}`, label, value));
    const got = evaluate(rows);
    expectScores(got.images, sklearn.patients.images);
    expectScores(got.studies, sklearn.patients.studies);
    expect(got.images.count).toBe(rows.length);
    expect(got.regions).toEqual({ XR_HAND: { images: got.images, studies: got.studies } });
  });

  it('gives the object of evaluate --json', () => {
    const got = evaluate([
      image('XR_WRIST/p1/s1', 1, 0.9),
      image('XR_WRIST/p1/s1', 1, 0.2),
      image('XR_WRIST/p2/s1', 0, 0.4),
      image('XR_ELBOW/p1/s2', 0, 0.6),
    ]);
    const wrong = { count: 1, accuracy: 0, precision: 0, recall: null, f1: 0, kappa: 0, auc: null };
    const right = { accuracy: 1, precision: 1, recall: 1, f1: 1, kappa: 1, auc: 1 };
    expect(got.studies).toEqual({
      count: 3,
      accuracy: 2 / 3,
      precision: 0.5,
      recall: 1,
      f1: 2 / 3,
      kappa: 0.4,
      auc: 0.5,
    });
    expect(got.regions).toEqual({
      XR_ELBOW: { images: wrong, studies: wrong },
      XR_WRIST: {
        images: { count: 3, accuracy: 2 / 3, precision: 1, recall: 0.5, f1: 2 / 3, kappa: 0.4, auc: 0.5 },
        studies: { count: 2, ...right },
      },
    });
    expect(Object.keys(got.regions)).toEqual(['XR_ELBOW', 'XR_WRIST']);
  });
});
