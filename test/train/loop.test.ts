import { expect, test } from 'vitest';
import { memoryPixels, type PackedSplit } from '../../src/data/packed.ts';
import type { Inference } from '../../src/models/inference.ts';
import type { Model } from '../../src/models/model.ts';
import { startOfRun, trainLoop } from '../../src/train/loop.ts';
import type { RunProgress } from '../../src/train/run-state.ts';
import type { TrainingStep } from '../../src/train/step.ts';

const BATCH = 2;
const OPTIONS = {
  epochs: 1,
  seed: 0,
  maxRotation: undefined,
  plateauPatience: 10,
  best: 'loss',
  maxSteps: undefined,
} as const;

/** Four images of one pixel. */
function split(name: 'train' | 'valid'): PackedSplit {
  const images = Array.from({ length: 4 }, (_, index) => ({
    path: `${index}.png`,
    region: 'XR_HAND',
    patient: `patient${index}`,
    study: index,
    label: (index % 2) as 0 | 1,
  }));
  const studies = images.map(({ region, patient, label }, index) => ({ path: `${index}`, region, patient, label }));
  return {
    split: { name, images, studies } as unknown as PackedSplit['split'],
    size: 1,
    pixels: memoryPixels(images.map(() => Uint8Array.of(0))),
    channels: new Uint8Array(4).fill(1),
    failed: [],
  };
}

/** A network that takes a second a step; `onValidation` is called with its first validation batch. */
function partsWith(signal: AbortSignal, onValidation: () => void) {
  let seconds = 0;
  const answer = (values: number[]) => ({ value: Promise.resolve(Float32Array.from(values).buffer) });
  const none = { read: async () => new Map() };
  const step = {
    batchSize: BATCH,
    adam: { steps: 0 },
    run: async () => {
      seconds++;
      return answer([0.5]);
    },
  };
  const inference = {
    options: { batchSize: BATCH },
    run: async () => {
      onValidation();
      return answer([0, 0]);
    },
  };
  return {
    model: { parameters: none, statistics: none } as unknown as Model,
    step: step as unknown as TrainingStep,
    inference: inference as unknown as Inference,
    train: split('train'),
    valid: split('valid'),
    signal,
    now: () => seconds,
  };
}

test('an epoch that is interrupted in its validation keeps its pace', async () => {
  const controller = new AbortController();
  const saved: RunProgress[] = [];
  const save = async (progress: RunProgress) => void saved.push(progress);
  const interrupted = trainLoop(
    partsWith(controller.signal, () => controller.abort(new Error('stop'))),
    OPTIONS,
    startOfRun(1e-4),
    { save },
  );
  await expect(interrupted).rejects.toThrow('stop');
  expect(saved).toMatchObject([{ epoch: 0, batch: 2, lossSum: 1, seconds: 2, images: 4 }]);
  const parts = partsWith(new AbortController().signal, () => {});
  const { history } = await trainLoop(parts, OPTIONS, saved[0] ?? startOfRun(1e-4), { save });
  expect(history).toMatchObject([{ epoch: 1, train_loss: 0.5, images_per_s: 2 }]);
  expect(saved.at(-1)).toMatchObject({ epoch: 1, batch: 0, lossSum: 0, seconds: 0, images: 0 });
});
