// TensorFlow.js with its WebGPU backend, on the adapter and the Dawn that murad uses.
import { readFileSync } from 'node:fs';
import { openAdapter } from '../../dist/gpu/node.js';
import { readWeights } from '../../dist/index.js';
import { config, fileOf, readImages, serve } from './worker.mjs';

const { batchSize, imageSize } = config;
const { adapter, toggles } = await openAdapter({ adapter: config.adapter });
// What tfjs asks a browser for.
Object.assign(globalThis, { window: globalThis, self: globalThis });
Object.defineProperty(globalThis, 'navigator', {
  value: { gpu: { requestAdapter: async () => adapter }, userAgent: 'node' },
});
const tf = await import('@tensorflow/tfjs-core');
await import('@tensorflow/tfjs-backend-webgpu');
const { buildDenseNet121 } = await import('./tfjs-densenet.mjs');
await tf.setBackend('webgpu');

const loadNetwork = () =>
  buildDenseNet121(imageSize, readWeights('weights', readFileSync(fileOf('weights.safetensors'))));
const images = tf.transpose(tf.tensor4d(readImages(), [batchSize, 3, imageSize, imageSize]), [0, 2, 3, 1]);
const labels = tf.tensor2d(config.labels, [batchSize, 1]);

/**
 * Runs steps one behind the other and reads the last one's result. As murad does, it sleeps for most of the time that
 * the last run took before it asks for the result: Dawn's Node binding polls in a busy loop meanwhile, which would take
 * a core from a software adapter. A browser does not.
 */
function runner(run) {
  let expected = 0;
  return async (steps) => {
    const start = performance.now();
    let result;
    for (let step = 0; step < steps; step++) {
      result?.dispose();
      result = run();
    }
    const backend = tf.backend();
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    backend.submitQueue();
    const sleep = 0.85 * expected - (performance.now() - start);
    if (sleep > 4) await new Promise((resolve) => setTimeout(resolve, sleep));
    const values = await result.data();
    result.dispose();
    expected = performance.now() - start;
    return values;
  };
}

const parameters = loadNetwork().trainableWeights.reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape), 0);

await serve(
  { version: tf.version_core, toggles, parameters },
  {
    async inference() {
      const network = loadNetwork();
      return runner(() => tf.tidy(() => network.apply(images, { training: false })));
    },
    async training() {
      const network = loadNetwork();
      const optimizer = tf.train.adam(config.learningRate);
      const loss = () => tf.losses.sigmoidCrossEntropy(labels, network.apply(images, { training: true }));
      return runner(() => tf.tidy(() => optimizer.minimize(loss, true)));
    },
  },
);
