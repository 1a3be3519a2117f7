// Time of inference and of a training step of DenseNet-121, and where it goes, on the adapter at hand:
//   node bench/step.mjs [--batch 8] [--size 64] [--adapter auto] [--profile]
// Prints milliseconds per image: the median of nine runs after two that are not counted, inference and training in turn.
import { parseArgs } from 'node:util';
import { AdamState, batchOf, findModel, Inference, Model, openDevice, TrainingStep } from '../dist/index.js';

const { values } = parseArgs({
  options: {
    batch: { type: 'string', default: '8' },
    size: { type: 'string', default: '64' },
    adapter: { type: 'string', default: 'auto' },
    profile: { type: 'boolean', default: false },
  },
});
const [batchSize, imageSize] = [Number(values.batch), Number(values.size)];
const { device, adapter } = await openDevice({ adapter: values.adapter });
const model = new Model(device, findModel('densenet121'), { seed: 0 });
const step = await TrainingStep.create(model, new AdamState(model), { batchSize, imageSize, channels: 1 });
const inference = await Inference.create(model, { batchSize, imageSize, channels: 1 });
const images = Array.from({ length: batchSize }, () =>
  Uint8Array.from({ length: imageSize ** 2 }, () => Math.random() * 256),
);
const batch = { ...batchOf(images, imageSize), labels: Float32Array.from(images, (_, index) => index % 2) };

/** Seconds of one run of either kind. */
async function time(run) {
  const start = performance.now();
  await (await run()).value;
  return (performance.now() - start) / 1000;
}

const kinds = { inference: () => inference.run(batch), training: () => step.run(batch, 1e-4) };
const seconds = { inference: [], training: [] };
for (let round = 0; round < 11; round++) {
  for (const [kind, run] of Object.entries(kinds)) {
    const taken = await time(run);
    if (round >= 2) seconds[kind].push(taken);
  }
}
console.log(`${adapter.driver}, DenseNet-121, ${imageSize} px, batch ${batchSize}, ms per image`);
console.log(`${device.pipelines.size} pipelines for both`);
for (const [kind, taken] of Object.entries(seconds)) {
  taken.sort((a, b) => a - b);
  const [least, median, most] = [0, 4, 8].map((at) => ((1000 * taken[at]) / batchSize).toFixed(1));
  console.log(`${kind.padEnd(10)} ${median} (${least} to ${most})`);
}
if (values.profile) {
  const taken = await step.program.profile();
  const rows = new Map();
  step.program.plan.launches.forEach(({ launch, cost }, index) => {
    const name = `${launch.shader.replace('.wgsl', '')}:${launch.entry}`;
    const row = rows.get(name) ?? { count: 0, seconds: 0, flops: 0, bytes: 0 };
    row.count++;
    row.seconds += taken[index];
    row.flops += cost.flops;
    row.bytes += cost.bytes;
    rows.set(name, row);
  });
  console.log('\ntraining step, kernel: launches, ms per image, GFLOP/s, GB/s');
  for (const [name, row] of [...rows].sort(([, a], [, b]) => b.seconds - a.seconds)) {
    const rate = (amount) => (amount / row.seconds / 1e9).toFixed(1).padStart(6);
    const time = ((1000 * row.seconds) / batchSize).toFixed(2).padStart(8);
    console.log(`${name.padEnd(48)} ${String(row.count).padStart(4)} ${time} ${rate(row.flops)} ${rate(row.bytes)}`);
  }
}
process.exit();
