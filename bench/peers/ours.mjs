// murad as it runs by default: robustness and validation on.
import { readFileSync } from 'node:fs';
import {
  AdamState,
  batchOf,
  findModel,
  Inference,
  Model,
  openDevice,
  readWeights,
  TrainingStep,
} from '../../dist/index.js';
import { parameterCount, stateSpecs } from '../../dist/models/model.js';
import { config, fileOf, serve } from './worker.mjs';

const { batchSize, imageSize } = config;
const { device, adapter } = await openDevice({ adapter: config.adapter });
const bytes = readFileSync(fileOf('bytes.u8'));
const images = Array.from({ length: batchSize }, (_, index) =>
  Uint8Array.from(bytes.subarray(index * imageSize ** 2, (index + 1) * imageSize ** 2)),
);
const batch = { ...batchOf(images, imageSize), labels: Float32Array.from(config.labels) };
const options = { batchSize, imageSize, channels: 1 };

function loadModel() {
  const model = new Model(device, findModel(config.model));
  model.load('weights', readWeights('weights', readFileSync(fileOf('weights.safetensors'))));
  return model;
}

/** Runs steps one behind the other; only the last one's result, of so many values, is waited for. */
const runner = (run, length) => async (steps) => {
  let pending;
  for (let step = 0; step < steps; step++) pending = await run();
  return new Float32Array(await pending.value, 0, length);
};

await serve(
  {
    version: config.version,
    toggles: adapter.toggles,
    adapter: adapter.name,
    driver: adapter.driver,
    kind: adapter.kind,
    parameters: parameterCount(stateSpecs(findModel(config.model), 1)),
  },
  {
    async inference() {
      const inference = await Inference.create(loadModel(), options);
      return runner(() => inference.run(batch), batchSize);
    },
    async training() {
      const model = loadModel();
      const step = await TrainingStep.create(model, new AdamState(model), options);
      return runner(() => step.run(batch, config.learningRate), 1);
    },
  },
);
