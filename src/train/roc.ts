import type { Ranked } from './metrics.ts';

/** A corner of an ROC curve: the rates among normal and abnormal cases where those that are as probable are called abnormal. */
export interface RocPoint {
  readonly falsePositiveRate: number;
  readonly truePositiveRate: number;
}

/**
 * The points of the ROC curve from (0, 0) to (1, 1), one a probability; of even steps in one direction only the ends
 * (scikit-learn's roc_curve). Null where a class is absent.
 */
export function rocCurve({ labels, tied }: Ranked): RocPoint[] | null {
  const positives = labels.reduce((sum, label) => sum + label, 0);
  const negatives = labels.length - positives;
  if (positives === 0 || negatives === 0) return null;
  const counts: [number, number][] = [];
  let [falsePositives, truePositives] = [0, 0];
  for (let position = labels.length - 1; position >= 0; position--) {
    if (labels[position] === 1) truePositives++;
    else falsePositives++;
    // The cases that are equally probable are called abnormal together.
    if (tied[position] === 0) counts.push([falsePositives, truePositives]);
  }
  const isKept = ([x, y]: [number, number], index: number): boolean => {
    const [before, after] = [counts[index - 1], counts[index + 1]];
    return !before || !after || after[0] - x !== x - before[0] || after[1] - y !== y - before[1];
  };
  return [[0, 0] as const, ...counts.filter(isKept)].map(([x, y]) => ({
    falsePositiveRate: x / negatives,
    truePositiveRate: y / positives,
  }));
}
