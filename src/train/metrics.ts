import { UserError } from '../base/errors.ts';

/** What the network said of one image. Positive, label 1, is abnormal. */
export interface Prediction {
  /** `XR_WRIST` and so on. */
  readonly region: string;
  readonly patient: string;
  /** Names the study among all of the data set: `XR_WRIST/patient00001/study1`. */
  readonly study: string;
  readonly label: 0 | 1;
  readonly probability: number;
}

export interface Confusion {
  readonly truePositive: number;
  readonly falsePositive: number;
  readonly falseNegative: number;
  readonly trueNegative: number;
}

/** Scores of binary predictions; one whose denominator is 0 is undefined and null. */
export interface Scores {
  readonly count: number;
  readonly accuracy: number | null;
  readonly precision: number | null;
  readonly recall: number | null;
  readonly f1: number | null;
  /** Cohen's kappa, 1960: agreement beyond chance. */
  readonly kappa: number | null;
  /** Area under the ROC curve: the chance that an abnormal case scores above a normal one, a tie counting half. */
  readonly auc: number | null;
}

/** Scores at the image level and, by the mean of a study's images, at the study level. */
export interface Levels {
  readonly images: Scores;
  readonly studies: Scores;
}

export interface Evaluation extends Levels {
  readonly regions: Readonly<Record<string, Levels>>;
}

/** A case is called abnormal where its probability is above this (MURA, section 3). */
export const THRESHOLD = 0.5;

const ratio = (numerator: number, denominator: number) => (denominator === 0 ? null : numerator / denominator);

/** Labels and calls sorted by rising probability: what is needed to score any weighting of the cases in one pass. */
export interface Ranked {
  /** Position in rank -> index of the case. */
  readonly order: Uint32Array;
  /** Below, all by position in rank. */
  readonly labels: Uint8Array;
  readonly calls: Uint8Array;
  /** 1 where the probability equals that of the position before. */
  readonly tied: Uint8Array;
}

/** Sorts the cases by probability. Throws UserError where a probability is no number from 0 to 1. */
export function rank(labels: ArrayLike<number>, probabilities: ArrayLike<number>): Ranked {
  const count = labels.length;
  const order = new Uint32Array(count);
  for (let index = 0; index < count; index++) {
    const value = probabilities[index] as number;
    if (!(value >= 0 && value <= 1)) {
      throw new UserError(`metrics: probability ${index} is ${value}, expected 0 to 1: has the training diverged?`);
    }
    order[index] = index;
  }
  order.sort((a, b) => (probabilities[a] as number) - (probabilities[b] as number));
  const at = (position: number) => probabilities[order[position] as number] as number;
  return {
    order,
    labels: Uint8Array.from(order, (index) => labels[index] as number),
    calls: Uint8Array.from(order, (index) => ((probabilities[index] as number) > THRESHOLD ? 1 : 0)),
    tied: Uint8Array.from(order, (_, position) => (position > 0 && at(position) === at(position - 1) ? 1 : 0)),
  };
}

/** Counts the cases by label and call, each as often as its weight says. */
export function confusion(cases: Ranked, weights?: ArrayLike<number>): Confusion {
  const counts = [0, 0, 0, 0];
  for (let position = 0; position < cases.order.length; position++) {
    const weight = weights ? (weights[cases.order[position] as number] as number) : 1;
    const cell = 2 * (cases.labels[position] as number) + (cases.calls[position] as number);
    counts[cell] = (counts[cell] as number) + weight;
  }
  const [trueNegative, falsePositive, falseNegative, truePositive] = counts as [number, number, number, number];
  return { truePositive, falsePositive, falseNegative, trueNegative };
}

/** Area under the ROC curve (Mann-Whitney, mid ranks for ties); null where a class is absent. */
export function rocAuc(cases: Ranked, weights?: ArrayLike<number>): number | null {
  let below = 0;
  let positives = 0;
  let wins = 0;
  let groupPositives = 0;
  let groupNegatives = 0;
  const closeGroup = () => {
    wins += groupPositives * (below + groupNegatives / 2);
    below += groupNegatives;
    positives += groupPositives;
    groupPositives = 0;
    groupNegatives = 0;
  };
  for (let position = 0; position < cases.order.length; position++) {
    if (cases.tied[position] === 0) closeGroup();
    const weight = weights ? (weights[cases.order[position] as number] as number) : 1;
    if (cases.labels[position] === 1) groupPositives += weight;
    else groupNegatives += weight;
  }
  closeGroup();
  return ratio(wins, positives * below);
}

/** Scores from a confusion table and the area under the ROC curve, which the table does not tell. */
export function scoresOf(table: Confusion, auc: number | null): Scores {
  const { truePositive: tp, falsePositive: fp, falseNegative: fn, trueNegative: tn } = table;
  return {
    count: tp + fp + fn + tn,
    accuracy: ratio(tp + tn, tp + fp + fn + tn),
    precision: ratio(tp, tp + fp),
    recall: ratio(tp, tp + fn),
    f1: ratio(2 * tp, 2 * tp + fp + fn),
    kappa: ratio(2 * (tp * tn - fp * fn), (tp + fp) * (fp + tn) + (tp + fn) * (fn + tn)),
    auc,
  };
}

/** Scores of cases, each counted as often as its weight says. */
export function score(cases: Ranked, weights?: ArrayLike<number>): Scores {
  return scoresOf(confusion(cases, weights), rocAuc(cases, weights));
}

/** One prediction a study, in order of first appearance: the mean of its images' probabilities (MURA, section 3). */
export function studyPredictions(images: readonly Prediction[]): Prediction[] {
  const studies = new Map<string, Prediction[]>();
  for (const image of images) {
    const members = studies.get(image.study);
    if (members === undefined) studies.set(image.study, [image]);
    else if (members[0]?.label === image.label) members.push(image);
    else
      throw new UserError(`metrics: study ${image.study} has images with label 0 and with label 1, expected one label`);
  }
  return [...studies.values()].map((members) => ({
    ...(members[0] as Prediction),
    probability: members.reduce((sum, image) => sum + image.probability, 0) / members.length,
  }));
}

/** The predictions of each region, regions by name. */
export function byRegion(images: readonly Prediction[]): Map<string, Prediction[]> {
  const names = [...new Set(images.map((image) => image.region))].sort();
  const regions = new Map<string, Prediction[]>(names.map((name) => [name, []]));
  for (const image of images) regions.get(image.region)?.push(image);
  return regions;
}

/** Sorts predictions by their probability. */
export function rankPredictions(predictions: readonly Prediction[]): Ranked {
  return rank(
    predictions.map((prediction) => prediction.label),
    predictions.map((prediction) => prediction.probability),
  );
}

/** Scores of a set of images and of its studies. */
export function levels(images: readonly Prediction[]): Levels {
  return { images: score(rankPredictions(images)), studies: score(rankPredictions(studyPredictions(images))) };
}

/** The paper's scores over all images and studies and by region: the object of `evaluate --json`. */
export function evaluate(images: readonly Prediction[]): Evaluation {
  const regions = [...byRegion(images)].map(([name, members]) => [name, levels(members)] as const);
  return { ...levels(images), regions: Object.fromEntries(regions) };
}
