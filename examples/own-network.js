// Trains a network of one's own to tell bright images from dark ones: `node examples/own-network.js`.
import { writeFileSync } from 'node:fs';
import { AdamState, batchOf, Inference, Model, openDevice, TrainingStep, writeSafetensors } from 'murad';

const size = 32;
const definition = {
  name: 'tiny',
  title: 'Tiny',
  head: 'fc',
  smallestImage: 8,
  build(network, image, outputs) {
    let x = network.conv2d('conv', image, { channels: 16, kernel: 3, stride: 2, padding: 1 });
    x = network.batchNorm('norm', x, { activation: 'relu' });
    const maps = network.maxPool2d('pool', x, { kernel: 2 });
    return { logits: network.linear('fc', network.globalAvgPool2d(maps), outputs), maps };
  },
};
const labels = Float32Array.from({ length: 8 }, (_, index) => index % 2);
const images = Array.from(labels, (label) => new Uint8Array(size * size).map(() => Math.random() * 128 + 100 * label));

const { device } = await openDevice();
const model = new Model(device, definition, { seed: 1 });
const step = await TrainingStep.create(model, new AdamState(model), { batchSize: 8, imageSize: size });
let loss;
for (let count = 0; count < 30; count++) loss = await step.run({ ...batchOf(images, size), labels }, 0.01);
console.log('loss', new Float32Array(await loss.value)[0]);

const inference = await Inference.create(model, { batchSize: 8, imageSize: size });
const logits = new Float32Array(await (await inference.run(batchOf(images, size))).value);
console.log('right', logits.filter((logit, index) => logit > 0 === labels[index] > 0).length, 'of', labels.length);
writeFileSync('tiny.safetensors', writeSafetensors(await model.stateDict()));
process.exit();
