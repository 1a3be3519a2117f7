// Whether the memory that `murad models` plans is what training takes: the resident memory of two processes that train
// DenseNet-121 with batches of two sizes, subtracted, beside the difference of their plans. Fails where they are further than
// 5 % apart. On a software adapter, whose buffers are host memory. The heap of JavaScript is left out, since its size is up
// to the garbage collector; what else the two processes have in common cancels out.
//     npm run build && node bench/memory.mjs [--size 320] [--batches 2,6] [--adapter software]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchBatch, LEARNING_RATE } from '../dist/bench/step.js';
import { AdamState, findModel, Model, openDevice, TrainingStep } from '../dist/index.js';
import { planTrainingMemory } from '../dist/train/memory.js';

const ALLOWED = 0.05;
const MODEL = 'densenet121';
/** By the second step all that a run allocates is there. */
const STEPS = 2;

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '320' },
    batches: { type: 'string', default: '2,6' },
    adapter: { type: 'string', default: 'software' },
    /** Set for the processes that train: the batch size of one. */
    train: { type: 'string' },
  },
});
const imageSize = Number(values.size);

if (values.train) {
  const sizes = { batchSize: Number(values.train), imageSize, channels: 1 };
  const { device } = await openDevice({ adapter: values.adapter });
  const model = new Model(device, findModel(MODEL));
  const step = await TrainingStep.create(model, new AdamState(model), sizes);
  const batch = benchBatch(sizes);
  for (let at = 0; at < STEPS; at++) await (await step.run(batch, LEARNING_RATE)).value;
  await device.finished();
  globalThis.gc();
  const { rss, heapTotal } = process.memoryUsage();
  console.log(JSON.stringify({ resident: rss - heapTotal, buffers: device.live.bytes }));
  process.exit();
}

const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** What a process that trains with that batch takes, and what `murad models` says of it. */
function measure(batchSize) {
  const words = ['--train', batchSize, '--size', imageSize, '--adapter', values.adapter].map(String);
  const script = fileURLToPath(import.meta.url);
  const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] };
  const { status, stdout } = spawnSync(process.execPath, ['--expose-gc', script, ...words], options);
  if (status !== 0) throw new Error(`training a batch of ${batchSize} ended with code ${status}`);
  const { activations, state } = planTrainingMemory(findModel(MODEL), { batchSize, imageSize });
  const found = { ...JSON.parse(stdout), activations, state };
  console.log(
    `${imageSize} px, batch ${batchSize}: planned ${mebibytes(activations)} of activations and ${mebibytes(state)} of weights; ` +
      `buffers ${mebibytes(found.buffers)}; resident without the heap of JavaScript ${mebibytes(found.resident)}`,
  );
  return found;
}

const [small, large] = values.batches.split(',').map(Number).map(measure);
const planned = large.activations - small.activations;
const resident = large.resident - small.resident;
const off = resident / planned - 1;
console.log(
  `the larger batch takes ${mebibytes(resident)} more by the process's resident memory, ${mebibytes(planned)} more by the plan: ` +
    `${(100 * off).toFixed(1)} % apart`,
);
process.exit(Math.abs(off) <= ALLOWED ? 0 : 1);
