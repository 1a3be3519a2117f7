// Part of bench/host.mjs: the adapter's peaks, and DenseNet-121's training step and inference, each timed as several runs one
// behind the other with one wait for the last; a line of JSON a figure. f16 where the engine and the adapter have it.
import { execFileSync } from 'node:child_process';
import { figuresOf } from '../../dist/bench/roofline.js';
import { benchBatch, LEARNING_RATE } from '../../dist/bench/step.js';
import { Device } from '../../dist/gpu/device.js';
import { openAdapter } from '../../dist/gpu/node.js';
import { loadShader } from '../../dist/gpu/node-shaders.js';
import { measurePeaks } from '../../dist/gpu/peaks.js';
import { AdamState, findModel, Inference, Model, TrainingStep } from '../../dist/index.js';

const { adapter: wanted, imageSize, batches } = JSON.parse(process.argv[2]);
/** A time is that of so many runs as last about so long, in seconds; the median of some is told. */
const LONG_ENOUGH = 0.5;
const MOST_RUNS = 50;
const TIMES = 5;
const WARM = 3;

const tell = (row) => process.stdout.write(`@${JSON.stringify(row)}\n`);

/** Bytes in use on an NVIDIA GPU, whoever uses them; undefined without nvidia-smi. */
function gpuBytes() {
  try {
    const words = ['--query-gpu=memory.used', '--format=csv,noheader,nounits', '--id=0'];
    const megabytes = Number(execFileSync('nvidia-smi', words, { stdio: ['ignore', 'pipe', 'ignore'] }));
    return Number.isFinite(megabytes) ? megabytes * 2 ** 20 : undefined;
  } catch {
    return undefined;
  }
}

const bytesBefore = gpuBytes();

/** Memory as it is seen from outside the process: the GPU's, or on a software adapter the process's own. */
function outsideBytes(kind) {
  if (kind !== 'hardware') return { bytes: process.memoryUsage().rss, of: 'resident memory of the process' };
  const bytes = gpuBytes();
  return bytes === undefined ? undefined : { bytes: bytes - bytesBefore, of: 'GPU memory by nvidia-smi' };
}

const seconds = async (run, runs) => {
  const start = performance.now();
  let pending;
  for (let at = 0; at < runs; at++) pending = await run();
  await pending.value;
  return (performance.now() - start) / 1000;
};

async function time(run) {
  const first = await seconds(run, 1);
  let estimate = first;
  for (let at = 1; at < WARM; at++) estimate = await seconds(run, 1);
  const runs = Math.min(MOST_RUNS, Math.max(1, Math.ceil(LONG_ENOUGH / estimate)));
  const times = [];
  for (let at = 0; at < TIMES; at++) times.push((await seconds(run, runs)) / runs);
  times.sort((a, b) => a - b);
  return { median_s: times[TIMES >> 1], least_s: times[0], most_s: times.at(-1), runs_per_time: runs, first_s: first };
}

/** Arithmetic and traffic of a plan by the ops' costs. */
const costOf = ({ plan }) => ({
  flops: plan.launches.reduce((sum, { cost }) => sum + cost.flops, 0),
  bytes: plan.launches.reduce((sum, { cost }) => sum + cost.bytes, 0),
});

async function measure(device, precision, batchSize, kind) {
  const sizes = { batchSize, imageSize, channels: 1 };
  const batch = benchBatch(sizes);
  const model = new Model(device, findModel('densenet121'));
  const adam = kind === 'training' ? new AdamState(model) : undefined;
  const start = performance.now();
  const plan = adam ? await TrainingStep.create(model, adam, sizes) : await Inference.create(model, sizes);
  const planned = (performance.now() - start) / 1000;
  try {
    const timing = await time(() => (adam ? plan.run(batch, LEARNING_RATE) : plan.run(batch)));
    const memory = { planned_bytes: plan.program.bytes, buffer_bytes: device.live.bytes };
    const outside = outsideBytes(device.description.kind);
    tell({
      kind,
      precision,
      batch_size: batchSize,
      image_size: imageSize,
      plan_s: planned,
      ...timing,
      ...costOf(plan.program),
      ...memory,
      outside,
    });
  } finally {
    await plan.destroy();
    adam?.destroy();
    model.destroy();
  }
}

/** A device of a precision, and its peaks; undefined where it would compute as f32 does. */
async function open(precision) {
  const { adapter, name, kind } = await openAdapter({ adapter: wanted });
  const device = await Device.open(adapter, { adapter: name, kind, precision }, loadShader);
  const { matrices, storesHalves, kind: kernels } = device.traits;
  const multiplies = kernels === 'hardware' && matrices;
  if (precision === 'f16' && !multiplies && !storesHalves) {
    tell({ left_out: 'f16', reason: 'the adapter has no matrix units and nothing is stored in f16 on it' });
    return undefined;
  }
  if (precision === 'f16' && !storesHalves)
    tell({ note: 'f16: operands of convolutions alone; maps are stored in f32' });
  tell({ precision, peaks: figuresOf(await measurePeaks(device)) });
  return { precision, device };
}

const devices = [await open('f32'), await open('f16')].filter(Boolean);
for (const kind of ['training', 'inference']) {
  for (const batchSize of batches) {
    for (const { precision, device } of devices) {
      process.stderr.write(`${kind} in ${precision}, ${imageSize} px, batch ${batchSize}\n`);
      try {
        await measure(device, precision, batchSize, kind);
      } catch (error) {
        tell({ left_out: `${kind} in ${precision}, batch ${batchSize}`, reason: error.message });
      }
    }
  }
}
process.exit();
