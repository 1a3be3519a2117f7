import type { PackedSplit } from '../data/packed.ts';
import { type Choices, NO_CHOICES } from '../graph/choices.ts';
import type { Plan } from '../graph/plan.ts';
import { Inference } from '../models/inference.ts';
import type { Model } from '../models/model.ts';
import type { AdamState } from '../train/adam-state.ts';
import { channelsOfSplits } from '../train/predict-split.ts';
import { TrainingStep } from '../train/step.ts';
import { firstThatFits, type StepSize, stepSizes } from '../train/step-size.ts';
import type { Phase, Settings } from './train-settings.ts';

/** Images that are read at once, while training and after it: a run's kernels are chosen for them. */
export const EVALUATION_BATCH = 16;

export interface Plans {
  readonly step: TrainingStep;
  readonly inference: Inference;
}

export const plansOf = ({ step, inference }: Plans): readonly Plan[] => [...step.plans, inference.program.plan];

/** What plans are made for. */
export type PlanSettings = Pick<Settings, 'image_size' | 'batch_size' | 'micro_batch' | 'no_fuse'> &
  Partial<Pick<Settings, 'seed' | 'dropout' | 'class_weights'>> & {
    readonly choices?: Choices;
    /** What does not learn. */
    readonly freeze?: Phase['freeze'];
  };

interface Images {
  readonly train: PackedSplit;
  readonly valid: PackedSplit;
}

const commonOptions = ({ train, valid }: Images, { image_size, no_fuse, choices = NO_CHOICES }: PlanSettings) => ({
  imageSize: image_size,
  channels: channelsOfSplits(train, valid),
  without: no_fuse,
  choices,
});

/** Plans the training step for the images at hand. */
export const createStep = (
  model: Model,
  adam: AdamState,
  images: Images,
  settings: PlanSettings,
  size: StepSize,
): Promise<TrainingStep> =>
  TrainingStep.create(model, adam, {
    ...commonOptions(images, settings),
    ...size,
    seed: settings.seed ?? 0,
    dropout: settings.dropout ?? undefined,
    weighted: settings.class_weights ?? false,
    freeze: settings.freeze,
  });

/**
 * Plans the training step and the inference for the images at hand, of the first size that fits the adapter; `note`
 * tells which it is where that is not what was asked for.
 */
export async function createPlans(
  model: Model,
  adam: AdamState,
  images: Images,
  settings: PlanSettings,
  note: (line: string) => void,
): Promise<Plans> {
  const wanted = settings.batch_size;
  const count = images.train.split.images.length;
  const sizes = stepSizes({ batchSize: wanted, microBatch: settings.micro_batch }, count);
  const plans = await firstThatFits(sizes, async (size) => {
    const step = await createStep(model, adam, images, settings, size);
    // Where a whole batch was too much for training, it may be for reading.
    const largest = size.microBatch < size.batchSize ? size.microBatch : EVALUATION_BATCH;
    const batchSize = Math.min(EVALUATION_BATCH, largest, images.valid.split.images.length);
    try {
      const inference = await Inference.create(model, { ...commonOptions(images, settings), batchSize });
      return { step, inference };
    } catch (error) {
      await step.destroy();
      throw error;
    }
  });
  const { batchSize, microBatch } = plans.step;
  if (wanted === 'auto') note(`--batch-size auto: ${batchSize} images a step`);
  else if (batchSize < wanted)
    note(`a step takes all ${count} training images: fewer than the batch size of ${wanted}`);
  if (microBatch < batchSize) {
    const statistics = plans.step.tracks ? `; batch norm's statistics are per ${microBatch} images` : '';
    note(`a step of ${batchSize} images runs as ${batchSize / microBatch} x ${microBatch}${statistics}`);
  }
  return plans;
}
