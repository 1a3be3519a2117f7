import { fnv1a32 } from '../base/random.ts';
import type { Prediction } from './metrics.ts';

export type Halves = readonly [readonly Prediction[], readonly Prediction[]];

/**
 * Splits predictions in two halves such that what is chosen or fitted on one can be measured on the other: no patient is
 * in both. Patients are dealt out in turn, region by region, those with an abnormal study apart, in the order of a hash
 * of their names: which half a patient is in follows from the set alone.
 */
export function splitByPatient(images: readonly Prediction[]): Halves {
  const patients = new Map<string, { region: string; abnormal: number; hash: number }>();
  for (const { patient, region, label } of images) {
    const known = patients.get(patient);
    if (!known) patients.set(patient, { region, abnormal: label, hash: fnv1a32(patient) });
    else {
      known.abnormal = Math.max(known.abnormal, label);
      if (region < known.region) known.region = region;
    }
  }
  const order = [...patients].sort(
    ([name, a], [other, b]) =>
      compare(a.region, b.region) || a.abnormal - b.abnormal || a.hash - b.hash || compare(name, other),
  );
  const second = new Set(order.flatMap(([name], index) => (index % 2 === 1 ? [name] : [])));
  const half = (isSecond: boolean) => images.filter(({ patient }) => second.has(patient) === isSecond);
  return [half(false), half(true)];
}

const compare = (one: string, other: string): number => (one < other ? -1 : Number(one > other));
