import { required } from '../base/errors.ts';
import { splitByPatient } from './halves.ts';
import { type Prediction, rankPredictions, score, studyPredictions } from './metrics.ts';

/** What one network says of the images; all readings that are compared are of the same images in the same order. */
export type Reading = readonly Prediction[];

/** The mean of the readings' probabilities, image by image. */
export function meanOfReadings(readings: readonly Reading[]): Prediction[] {
  const [first = []] = readings;
  return first.map((image, index) => ({
    ...image,
    probability: readings.reduce((sum, reading) => sum + (reading[index]?.probability ?? 0), 0) / readings.length,
  }));
}

/** Kappa of the studies; undefined kappa counts as less than any. */
const kappaOf = (images: Reading): number => score(rankPredictions(studyPredictions(images))).kappa ?? -Infinity;

/** The reading with the highest kappa of studies; the first of equals. */
export function bestReading(readings: readonly Reading[]): number {
  const kappas = readings.map(kappaOf);
  return kappas.indexOf(Math.max(...kappas));
}

export interface CrossFitted {
  /** In the readings' order. */
  readonly images: Prediction[];
  /** For each group the readings that were chosen: on the second half for the first, on the first for the second. */
  readonly chosen: Readonly<Record<string, readonly [number, number]>>;
}

/**
 * For each group of images the reading that has the highest kappa there. What is chosen on one half of the patients reads
 * the other half, both ways: no study is read by a network that was chosen by its help. A group that the half for the
 * choice lacks is read by what is best on all of that half.
 */
export function crossFitted(readings: readonly Reading[], groupOf: (image: Prediction) => string): CrossFitted {
  const [first = []] = readings;
  const halves = splitByPatient(first);
  const halfOf = new Map(halves.flatMap((half, index) => half.map(({ patient }) => [patient, index] as const)));
  const groups = [...new Set(first.map(groupOf))].sort();
  const inHalf = readings.map((reading) =>
    halves.map((_, half) => reading.filter(({ patient }) => halfOf.get(patient) === half)),
  );
  const chosenOn = (half: number, group: string): number => {
    const all = inHalf.map((parts) => required(parts[half], 'half'));
    const own = all.map((images) => images.filter((image) => groupOf(image) === group));
    return own[0]?.length ? bestReading(own) : bestReading(all);
  };
  const chosen = Object.fromEntries(groups.map((group) => [group, [chosenOn(1, group), chosenOn(0, group)] as const]));
  const images = first.map((image, index) => {
    const reading = chosen[groupOf(image)]?.[halfOf.get(image.patient) ?? 0] ?? 0;
    return required(readings[reading]?.[index], 'image of a reading');
  });
  return { images, chosen };
}
