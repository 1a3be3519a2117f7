import { expect, test } from 'vitest';
import { trainingOrder } from '../../src/data/batches.ts';
import { memoryPixels, type PackedSplit } from '../../src/data/packed.ts';
import type { Inference } from '../../src/models/inference.ts';
import type { Model } from '../../src/models/model.ts';
import { isStoppedEarly, type LoopOptions, type LoopParts, startOfRun, trainLoop } from '../../src/train/loop.ts';
import type { RunProgress } from '../../src/train/run-state.ts';
import type { TrainingBatch, TrainingStep } from '../../src/train/step.ts';

const BATCH = 2;
const OPTIONS = {
  epochs: 1,
  seed: 0,
  maxRotation: undefined,
  plateauPatience: 10,
  best: 'loss',
  maxSteps: undefined,
  earlyStop: undefined,
  saveSeconds: 600,
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

/** The rounds of a run that `maxSteps` or a save cuts, as the events tell them. */
async function train(
  options: Partial<LoopOptions>,
  start = startOfRun(1e-4),
  parts: LoopParts = partsWith(idle(), () => {}),
) {
  const saved: RunProgress[] = [];
  const events = { save: async (progress: RunProgress) => void saved.push(progress) };
  const end = await trainLoop(parts, { ...OPTIONS, ...options }, start, events);
  return { saved, end };
}

const idle = () => new AbortController().signal;

test('a run saves within an epoch once the time is up, and goes on from there as if it had never stopped', async () => {
  const { saved, end } = await train({ epochs: 2, saveSeconds: 1 });
  expect(saved.map(({ epoch, batch }) => [epoch, batch])).toEqual([
    [0, 1],
    [1, 0],
    [1, 1],
    [2, 0],
  ]);
  expect(saved[2]).toMatchObject({ lossSum: 0.5, seconds: 1, images: 2 });
  const resumed = await train({ epochs: 2, saveSeconds: 1 }, saved[2]);
  expect(resumed.end).toEqual(end);
  expect((await train({ epochs: 2, saveSeconds: 60 })).saved.map(({ epoch, batch }) => [epoch, batch])).toEqual([
    [1, 0],
    [2, 0],
  ]);
});

test('a run ends early after so many epochs that are no better', async () => {
  // The validation loss is the same in every epoch: the first is the best.
  const { end } = await train({ epochs: 10, earlyStop: 3 });
  expect(end).toMatchObject({ epoch: 4, best: { epoch: 1 } });
  const options = { epochs: 10, earlyStop: 3 };
  expect(isStoppedEarly(end, options)).toBe(true);
  expect(isStoppedEarly({ ...end, epoch: 3 }, options)).toBe(false);
  expect(isStoppedEarly({ ...end, epoch: 10 }, options)).toBe(false);
  const again = await train(options, end);
  expect(again).toEqual({ saved: [], end });
  expect((await train({ epochs: 10, earlyStop: 5 }, end)).end).toMatchObject({ epoch: 6 });
});

test('epochs in which features are frozen do not end a run early', async () => {
  const options = { epochs: 10, earlyStop: 3, frozenEpochs: 5 };
  // The first epoch is the best, and the sixth the first that counts.
  const { saved, end } = await train(options);
  expect(end).toMatchObject({ epoch: 8, best: { epoch: 1 } });
  expect(isStoppedEarly(end, options)).toBe(true);
  for (const at of saved) expect((await train(options, at)).end).toEqual(end);
  // Within the frozen phase, whose last epoch is the loop's.
  expect((await train({ ...options, epochs: 5 })).end).toMatchObject({ epoch: 5 });
});

test('a loss that is not finite names the step, the rate and what is saved', async () => {
  const parts = partsWith(idle(), () => {});
  let steps = 0;
  const run = async () => ({ value: Promise.resolve(Float32Array.of(++steps === 4 ? Number.NaN : 0.5).buffer) });
  const broken = { ...parts, step: { ...parts.step, run } as unknown as TrainingStep };
  await expect(train({ epochs: 3 }, startOfRun(1e-3), broken)).rejects.toThrow(
    'the loss of step 2 of epoch 2 became NaN at learning rate 0.001: the run folder keeps epoch 1; ' +
      'go on with --resume and a lower --lr',
  );
});

test('the weights of images go with them', async () => {
  const given: (Float32Array | undefined)[] = [];
  const parts = partsWith(idle(), () => {});
  const run = async (batch: TrainingBatch) => {
    given.push(batch.weights);
    return { value: Promise.resolve(Float32Array.of(0.5).buffer) };
  };
  const step = { ...parts.step, run } as unknown as TrainingStep;
  await train({}, startOfRun(1e-3), { ...parts, step, imageWeights: Float32Array.of(0, 1, 2, 3) });
  const order = trainingOrder(4, BATCH, 0, 1);
  expect(given.map((weights) => [...(weights ?? [])])).toEqual(order.map((batch) => [...batch]));
});
