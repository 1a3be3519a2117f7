// Trains DenseNet-121 for 500 steps and fails where the process grows: the live GPU objects must stay as they were when
// the step was planned, and the resident memory after a collection must grow by less than 1 % from step 100 to step 500.
//     npm run build && node bench/growth.mjs
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Device } from '../dist/gpu/device.js';
import { openAdapter } from '../dist/gpu/node.js';
import { loadShader } from '../dist/gpu/node-shaders.js';
import { findModel } from '../dist/models/index.js';
import { Model } from '../dist/models/model.js';
import { AdamState } from '../dist/train/adam-state.js';
import { TrainingStep } from '../dist/train/step.js';

const STEPS = 500;
/** By now every path has run, been compiled and filled its caches. */
const SETTLED = 100;
const SIZE = 32;
const BATCH = 2;
const ALLOWED = 0.01;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

const found = await openAdapter();
const device = await Device.open(found.adapter, { adapter: found.name, kind: found.kind }, loadShader);
const model = new Model(device, findModel('densenet121'));
const step = await TrainingStep.create(model, new AdamState(model), { batchSize: BATCH, imageSize: SIZE, channels: 1 });
const planned = { ...device.live };
const describe = ({ buffers, bytes }) => `${buffers} buffers, ${bytes} bytes`;
console.log(`${found.name}: DenseNet-121, batch ${BATCH}, ${SIZE} px; planned: ${describe(planned)}`);

/** Resident bytes once nothing is in flight and the heap is collected. */
async function residentBytes() {
  await device.finished();
  collect();
  await new Promise((resolve) => setTimeout(resolve, 100));
  collect();
  return process.memoryUsage().rss;
}

const images = {
  pixels: Uint8Array.from({ length: BATCH * SIZE * SIZE }, (_, index) => (index * 37) % 256),
  offsets: Uint32Array.from({ length: BATCH }, (_, index) => index * SIZE * SIZE),
  channels: new Uint32Array(BATCH).fill(1),
  flips: new Uint32Array(BATCH),
  angles: new Float32Array(BATCH),
  labels: Float32Array.from({ length: BATCH }, (_, index) => index % 2),
};
const resident = new Map();
const faults = [];
const start = performance.now();
for (let at = 1; at <= STEPS; at++) {
  await (await step.run(images, 1e-4)).value;
  if (at % SETTLED !== 0) continue;
  resident.set(at, await residentBytes());
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(
    `step ${at}: ${describe(device.live)}, resident ${(resident.get(at) / 2 ** 20).toFixed(1)} MiB, ${seconds} s`,
  );
  if (describe(device.live) !== describe(planned)) faults.push(`step ${at}: ${describe(device.live)}`);
}
const growth = resident.get(STEPS) / resident.get(SETTLED) - 1;
console.log(`resident memory from step ${SETTLED} to ${STEPS}: ${(100 * growth).toFixed(2)} %`);
if (growth >= ALLOWED) faults.push(`resident memory grew by ${(100 * growth).toFixed(2)} %`);
for (const fault of faults) console.error(`FAILED ${fault}`);
process.exit(faults.length ? 1 : 0);
