import type { Reading, WeightsReport } from '../engine-api.ts';

/** The images that were read together; their mean is the study's score, as for MURA. */
export interface Study {
  readonly readings: readonly Reading[];
  readonly probability: number;
}

export const studyOf = (readings: readonly Reading[]): Study => ({
  readings,
  probability: readings.reduce((sum, { probability }) => sum + probability, 0) / Math.max(1, readings.length),
});

/** A study as a file that can be kept beside the images. */
export function studyJson({ readings, probability }: Study, weights: WeightsReport, threshold: number): string {
  const result = {
    weights: weights.file,
    model: weights.model,
    image_size: weights.imageSize,
    operating_point: threshold,
    note: 'Not a medical device.',
    study: { probability, abnormal: probability > threshold },
    images: readings.map(({ name, probability: own, map }) => ({
      image: name,
      probability: own,
      abnormal: own > threshold,
      class_activation_map: { width: map.width, height: map.height, values: [...map.values] },
    })),
  };
  return `${JSON.stringify(result, null, 1)}\n`;
}
