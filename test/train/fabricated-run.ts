import { Random } from '../../src/base/random.ts';
import type { Prediction } from '../../src/train/metrics.ts';
import { formatPredictions } from '../../src/train/predictions-file.ts';
import type { EpochMetrics } from '../../src/train/run-state.ts';

export interface Fabrication {
  readonly model: string;
  /** How far apart the logits of abnormal and normal images are, in standard deviations; by region where it differs. */
  readonly skill: number;
  readonly skills?: Readonly<Record<string, number>>;
  readonly seed: number;
  readonly patients?: number;
  readonly regions?: readonly string[];
  /** Put at the end of every file's name. */
  readonly suffix?: string;
}

/** Readings of made-up images: which images there are depends on `patients` and `regions` alone. */
export function fabricateImages(options: Fabrication): { images: string[]; predictions: Prediction[] } {
  const { skill, skills = {}, seed, patients = 120, regions = ['XR_ELBOW', 'XR_WRIST'], suffix = '' } = options;
  const [set, noise] = [new Random(1), new Random(2, seed)];
  const images: string[] = [];
  const predictions: Prediction[] = [];
  for (let number = 1; number <= patients; number++) {
    const patient = `patient${String(number).padStart(5, '0')}`;
    const region = regions[number % regions.length] ?? '';
    const label = set.chance(0.45) ? 1 : 0;
    const study = `valid/${region}/${patient}/study1_${label ? 'positive' : 'negative'}`;
    for (let image = set.integer(3); image >= 0; image--) {
      const logit = (skills[region] ?? skill) * (label - 0.5) + noise.normal();
      images.push(`${study}/image${image + 1}${suffix}.png`);
      const probability = Number((1 / (1 + Math.exp(-2 * logit))).toFixed(6));
      predictions.push({ region, patient, study, label, probability });
    }
  }
  return { images, predictions };
}

const epochs = (count: number, images: number): EpochMetrics[] => {
  const scores = { count: images, accuracy: 0.8, precision: 0.8, recall: 0.7, f1: 0.75, kappa: 0.5, auc: 0.85 };
  return Array.from({ length: count }, (_, index) => ({
    epoch: index + 1,
    train_loss: 0.7 / (index + 1),
    valid_loss: 0.7 / (index + 1) + 0.02 * index,
    learning_rate: 1e-4,
    images_per_s: 50,
    train_images: 800,
    images: { ...scores, auc: 0.6 + 0.03 * index },
    studies: { ...scores, kappa: 0.2 + 0.05 * index },
  }));
};

/** The files of a run folder that `compare` reads, by name. */
export function fabricateRun(options: Fabrication): Record<string, string> {
  const { images, predictions } = fabricateImages(options);
  const config = { version: '0.1.0', model: options.model, image_size: 64, batch_size: 16, data: 'MURA-v1.1' };
  return {
    'config.json': JSON.stringify(config),
    'metrics.jsonl': epochs(8, images.length)
      .map((epoch) => `${JSON.stringify(epoch)}\n`)
      .join(''),
    'predictions.csv': formatPredictions({ split: 'valid', images, predictions }),
  };
}
