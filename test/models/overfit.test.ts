import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import type { Device } from '../../src/gpu/device.ts';
import { Graph } from '../../src/graph/graph.ts';
import { Program } from '../../src/graph/program.ts';
import { STEP_WORDS } from '../../src/kernels/adam.ts';
import { type ModelDefinition, smallestTrainingImage } from '../../src/models/definition.ts';
import { batchOf, ImageInput } from '../../src/models/images.ts';
import { inception } from '../../src/models/inception.ts';
import { models } from '../../src/models/index.ts';
import { Model } from '../../src/models/model.ts';
import { Network } from '../../src/models/network.ts';
import { AdamState } from '../../src/train/adam-state.ts';
import { type TrainingBatch, TrainingStep } from '../../src/train/step.ts';
import { describeOnFastAdapter } from '../support/adapter.ts';
import { useDevice } from '../support/use-device.ts';
import { meanLoss } from './loss.ts';
import { ALL, inThisRun } from './tier.ts';

const IMAGES = 8;
const LEARNT = 0.05;
/** The images are read where a step's own loss, which dropout and an auxiliary classifier add to, is below this. */
const PROMISING = 0.25;
const STEPS = 40;
/** A step of a VGG moves gigabytes. */
const TIMEOUT = 10 * 60_000;
const RATE = 1e-3;
/** Networks that learn nothing from scratch at the other rate: without batch norm, or behind two layers of dropout. */
const SLOW_RATE = 1e-4;
/** Inception V3 takes images of 299 pixels with its auxiliary classifier, of 75 without: a twelfth of the arithmetic. */
const networks = ALL ? models : models.map((one) => (one.auxiliary ? inception({ auxiliary: false }) : one));
/** Grey levels of an image, across and down. */
const LEVELS = 4;

/** Eight images of random grey squares; every other one is abnormal. */
function patterns(size: number): TrainingBatch {
  const random = new Random(0);
  const images = Array.from({ length: IMAGES }, () => {
    const levels = Uint8Array.from({ length: LEVELS * LEVELS }, () => random.integer(256));
    const square = (at: number) => Math.floor((at * LEVELS) / size);
    return Uint8Array.from({ length: size * size }, (_, at) => {
      return levels[LEVELS * square(Math.floor(at / size)) + square(at % size)] as number;
    });
  });
  return { ...batchOf(images, size), labels: Float32Array.from(images, (_, index) => index % 2) };
}

/** Reads the batch with its own statistics in batch norm and without dropout. */
async function compileReader(
  model: Model,
  size: number,
): Promise<{ program: Program; read(batch: TrainingBatch): Promise<number> }> {
  const graph = new Graph();
  const step = graph.input('step', [STEP_WORDS], 'u32');
  const network = new Network(graph, { training: true, step, dropout: 0 });
  const images = new ImageInput(graph, network, { batchSize: IMAGES, size, channels: 1 });
  const { logits } = model.definition.build(network, images.image, model.outputs);
  const program = await Program.compile(model.device, graph, {
    results: [logits],
    places: model.places(network),
    bindings: [...model.parameters.bindings(), ...model.statistics.bindings()],
  });
  return {
    program,
    async read(batch) {
      images.write(program, batch);
      program.run();
      return meanLoss(new Float32Array(await program.read(logits)), batch.labels);
    },
  };
}

/** The losses of the images before the first step and after the last, and the number of steps. */
async function overfit(device: Device, definition: ModelDefinition, rate: number) {
  const size = smallestTrainingImage(definition);
  const batch = patterns(size);
  const model = new Model(device, definition);
  const adam = new AdamState(model);
  const step = await TrainingStep.create(model, adam, { batchSize: IMAGES, imageSize: size, channels: 1 });
  const reader = await compileReader(model, size);
  try {
    const first = await reader.read(batch);
    for (let steps = 1; steps <= STEPS; steps++) {
      const own = new Float32Array(await (await step.run(batch, rate)).value)[0] as number;
      const loss = own < PROMISING ? await reader.read(batch) : own;
      if (loss < LEARNT) return { first, loss, steps };
    }
    return { first, loss: Number.POSITIVE_INFINITY, steps: STEPS };
  } finally {
    reader.program.destroy();
    await step.destroy();
    adam.destroy();
    model.destroy();
  }
}

describeOnFastAdapter(`eight images at the smallest size, to a loss below ${LEARNT}`, () => {
  const device = useDevice();

  test.each(inThisRun('learning eight images', networks))('$name', { timeout: TIMEOUT }, async (definition) => {
    const began = process.cpuUsage();
    const { first, loss, steps } = await overfit(
      device(),
      definition,
      definition.name.startsWith('vgg') ? SLOW_RATE : RATE,
    );
    const { user, system } = process.cpuUsage(began);
    const seconds = ((user + system) / 1e6).toFixed(1);
    console.log(
      `${definition.name}: from ${first.toFixed(3)} to ${loss.toFixed(4)} in ${steps} steps, ${seconds} s of processors`,
    );
    expect(first).toBeGreaterThan(10 * LEARNT);
    expect(loss).toBeLessThan(LEARNT);
  });
});
