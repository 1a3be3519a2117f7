// How fast images reach the GPU, in images a second and milliseconds of CPU time an image: (a) decoding and resizing them
// into an empty cache, (b) from the cache into a buffer of the GPU, (c) the shader that augments them. Then (d) trains a
// few steps by the loop of `murad train`, says how much of the reading happened while the GPU was busy, and writes that
// as a trace for Perfetto.
//     npm run build && node bench/feed.mjs [--data DIR] [--image-size 320] [--batch-size 64] [--trace FILE]
//         [--model densenet121] [--train-size 64] [--train-batch 16] [--steps 8] [--adapter auto]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { traceOfTracks } from '../dist/bench/trace-events.js';
import { readAhead, trainingOrder } from '../dist/data/batches.js';
import { readMura } from '../dist/data/mura.js';
import { packSplit } from '../dist/data/packed.js';
import { openDevice } from '../dist/gpu/node-device.js';
import { Graph } from '../dist/graph/graph.js';
import { Program } from '../dist/graph/program.js';
import { nodeFiles } from '../dist/io/node.js';
import { imageCache } from '../dist/io/node-image-cache.js';
import { writePhantom } from '../dist/io/node-phantom.js';
import { ImageInput } from '../dist/models/images.js';
import { findModel } from '../dist/models/index.js';
import { Model } from '../dist/models/model.js';
import { Network } from '../dist/models/network.js';
import { AdamState } from '../dist/train/adam-state.js';
import { startOfRun, trainLoop } from '../dist/train/loop.js';
import { TrainingStep } from '../dist/train/step.js';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    'image-size': { type: 'string', default: '320' },
    'batch-size': { type: 'string', default: '64' },
    trace: { type: 'string' },
    model: { type: 'string', default: 'densenet121' },
    'train-size': { type: 'string', default: '64' },
    'train-batch': { type: 'string', default: '16' },
    steps: { type: 'string', default: '8' },
    adapter: { type: 'string', default: 'auto' },
  },
});
const imageSize = Number(values['image-size']);
const batchSize = Number(values['batch-size']);
/** Each part runs for at least so long. */
const MILLISECONDS = 3000;
/** torchvision's images are turned by so many degrees. */
const AUGMENTATION = { seed: 0, maxRotation: 30 };

/** Runs `task`, which answers how many images it dealt with, and says how fast. */
async function measure(what, task) {
  const cpu = process.cpuUsage();
  const began = performance.now();
  const images = await task();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const perImage = (user + system) / 1000 / images;
  console.log(`${what}: ${(images / seconds).toFixed(0)} images/s, ${perImage.toFixed(3)} ms of CPU time an image`);
}

/** Repeats `task` until the time is up; it answers how many images it dealt with. */
async function repeated(task) {
  const began = performance.now();
  let images = 0;
  for (let round = 0; performance.now() - began < MILLISECONDS; round++) images += await task(round);
  return images;
}

const load = (split, size) =>
  packSplit(data, split, size, imageCache({ folder: join(work, 'cache'), note: (line) => console.log(line) }));

/** Every batch of an epoch, as training reads them. */
const epochOf = (packed, epoch) => {
  const order = trainingOrder(packed.split.images.length, batchSize, AUGMENTATION.seed, epoch);
  return readAhead(packed, order, batchSize, { ...AUGMENTATION, epoch });
};

/** The program that turns the bytes of a batch into normalised maps, and nothing else. */
async function augmentation(channels) {
  const graph = new Graph();
  const network = new Network(graph, { training: false });
  const images = new ImageInput(graph, network, { batchSize, size: imageSize, channels });
  return { images, program: await Program.compile(device, graph, { results: [images.image] }) };
}

async function measureFeeding(packed) {
  const { images, program } = await augmentation(packed.channels.includes(3) ? 3 : 1);
  await measure('(b) cache -> GPU', () =>
    repeated(async (epoch) => {
      let count = 0;
      for await (const batch of epochOf(packed, epoch)) {
        images.writeBytes(program, batch);
        device.gpu.queue.submit([]);
        count += batch.images.length;
      }
      await device.finished();
      return count;
    }),
  );
  const first = (await epochOf(packed, 0).next()).value;
  images.write(program, first);
  program.run();
  await device.finished();
  await measure('(c) augment shader', () =>
    repeated(async () => {
      program.run();
      await device.finished();
      return batchSize;
    }),
  );
  program.destroy();
}

/** A few steps of a training run, and when each was read, handed over and computed. */
async function traceTraining(train, valid) {
  const [read, handed, computed] = [[], [], []];
  const start = performance.now();
  const now = () => performance.now() - start;
  const span = (spans, from, to = now()) => spans.push({ name: `batch ${spans.length}`, start: from, ms: to - from });
  const model = new Model(device, findModel(values.model));
  const options = { batchSize: Number(values['train-batch']), imageSize: train.size, channels: 1 };
  const step = await TrainingStep.create(model, new AdamState(model), options);
  const source = train.pixels;
  const pixels = {
    async read(...given) {
      const from = now();
      await source.read(...given);
      span(read, from);
    },
  };
  let idle = 0;
  const ends = [];
  const traced = {
    batchSize: step.batchSize,
    adam: step.adam,
    run(...given) {
      const from = now();
      const pending = step.run(...given);
      const submitted = now();
      span(handed, from, submitted);
      const done = device.gpu.queue.onSubmittedWorkDone().then(() => {
        span(computed, Math.max(idle, submitted));
        idle = now();
      });
      ends.push(done);
      return pending;
    },
  };
  const loop = {
    epochs: 99,
    seed: 0,
    maxRotation: 30,
    plateauPatience: 10,
    best: 'loss',
    maxSteps: Number(values.steps),
  };
  const parts = {
    model,
    step: traced,
    inference: undefined,
    train: { ...train, pixels },
    valid,
    now: () => now() / 1000,
  };
  await trainLoop({ ...parts, signal: new AbortController().signal }, loop, startOfRun(1e-4), { save: async () => {} });
  await Promise.all(ends);
  await step.destroy();
  return [
    { name: 'read from the cache', spans: read },
    { name: 'hand over and encode', spans: handed },
    { name: 'GPU', spans: computed },
  ];
}

/** Milliseconds of a span during which some of the others lasted. */
const within = ({ start, ms }, others) =>
  others.reduce((sum, other) => {
    return sum + Math.max(0, Math.min(start + ms, other.start + other.ms) - Math.max(start, other.start));
  }, 0);

const work = mkdtempSync(join(tmpdir(), 'murad-feed-'));
const data = values.data ?? join(work, 'set');
let device;
try {
  if (!values.data) await writePhantom(data, { studies: 200, seed: 0, size: 512 });
  const opened = await openDevice({ adapter: values.adapter });
  device = opened.device;
  const { name, driver, kind } = opened.adapter;
  const machine = `${availableParallelism()} cores of ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(1)}`;
  console.log(`${name}, ${driver} (${kind}); ${machine}; ${data}, ${imageSize} px, batches of ${batchSize}`);
  const { train, valid } = await readMura(nodeFiles, data);
  let packed;
  await measure('(a) decode + resize + cache', async () => {
    packed = await load(train, imageSize);
    return train.images.length;
  });
  await packed.pixels.close();
  await measure('    open the cache again', async () => {
    packed = await load(train, imageSize);
    return train.images.length;
  });
  await measureFeeding(packed);
  await packed.pixels.close();
  const size = Number(values['train-size']);
  const small = { train: await load(train, size), valid: await load(valid, size) };
  const tracks = await traceTraining(small.train, small.valid);
  const [read, handed, computed] = tracks.map(({ spans }) => spans);
  const busy = computed.slice(0, -1);
  // The first batch has no step to be read behind, and the second one is begun with it.
  const later = read.slice(2, handed.length);
  const sum = (spans) => spans.reduce((total, { ms }) => total + ms, 0);
  const hidden = later.reduce((total, one) => total + within(one, busy), 0);
  const share = ((100 * hidden) / sum(later)).toFixed(0);
  const span = busy.at(-1).start + busy.at(-1).ms - busy[0].start;
  console.log(
    `(d) ${values.model}, ${size} px, batch ${values['train-batch']}: ${handed.length} steps; reading all but the first two took ` +
      `${sum(later).toFixed(1)} ms, ${share} % of it while the GPU computed; the GPU was busy for ` +
      `${((100 * sum(busy)) / span).toFixed(1)} % of the time`,
  );
  if (values.trace) {
    const about = { adapter: name, driver, date: new Date().toISOString() };
    writeFileSync(values.trace, JSON.stringify(traceOfTracks(tracks, `feeding ${values.model}`, about)));
  }
  for (const { pixels } of Object.values(small)) await pixels.close();
} finally {
  device?.destroy();
  rmSync(work, { recursive: true, force: true });
}
