// DenseNet-121 beside what others run it with, on the same adapter in the same run: inference and a training step.
//     npm run build && npm --prefix bench/peers ci --ignore-scripts
//     node bench/peers/peers.mjs [--size 64] [--batch 8] [--rounds 5] [--steps 1] [--adapter auto] [--out FILE]
// Each peer is a process of its own that sleeps unless it is asked; all are given the same weights and images, and their
// logits and first loss are compared with murad's. A round runs everything once, in an order that turns; each time is
// that of `--steps` steps to the end of the last one. Prints a table; writes a JSON file with every time.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { prepareInputs } from './inputs.mjs';
import { findPython, startPeers } from './peer-processes.mjs';
import { summarise, tableOf } from './report.mjs';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '64' },
    batch: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '5' },
    steps: { type: 'string', default: '1' },
    adapter: { type: 'string', default: 'auto' },
    weights: {
      type: 'string',
      default: fileURLToPath(new URL('../../weights/densenet121-phantom-64px.safetensors', import.meta.url)),
    },
    only: { type: 'string' },
    out: { type: 'string' },
  },
});
const [imageSize, batchSize, rounds, steps] = [values.size, values.batch, values.rounds, values.steps].map(Number);
const startLoad = loadavg()[0];
const note = (line) => process.stderr.write(`${line}\n`);
const { config, remove } = prepareInputs({ imageSize, batchSize, weights: values.weights, adapter: values.adapter });
process.on('exit', remove);

const { peers, leftOut } = await startPeers(config, { python: findPython(), only: values.only?.split(','), note });
const [ours] = peers;

/** The first run of a kind, with its set-up, and a second one: a training step changes what the next computes. */
async function firstRun(peer, kind) {
  const { seconds, result } = await peer.ask({ kind, steps: 1 });
  const { result: next } = await peer.ask({ kind, steps: 1 });
  note(`${peer.name}, ${kind}: first ${seconds.toFixed(2)} s`);
  return { peer, kind, seconds: [], first: seconds, result, next };
}

let runs = [];

/** Goes on without a peer that failed; without murad there is nothing to compare. */
function leaveOut(peer, error) {
  if (peer === ours) throw error;
  runs = runs.filter((run) => run.peer !== peer);
  leftOut.push({ name: peer.name, reason: error.message });
  note(`left out: ${peer.name}: ${error.message}`);
}

for (const peer of peers) {
  try {
    for (const kind of peer.about.kinds) runs.push(await firstRun(peer, kind));
  } catch (error) {
    leaveOut(peer, error);
  }
}
for (let round = -1; round < rounds; round++) {
  const inTurn = runs.map((_, turn) => runs[(turn + round + 1) % runs.length]);
  for (const run of inTurn) {
    if (!runs.includes(run)) continue;
    try {
      const { seconds } = await run.peer.ask({ kind: run.kind, steps });
      // The round before the first warms up.
      if (round >= 0) run.seconds.push(seconds / steps);
    } catch (error) {
      leaveOut(run.peer, error);
    }
  }
  note(round < 0 ? 'warmed up' : `round ${round + 1} of ${rounds}`);
}
for (const peer of peers) peer.end();

const rows = summarise(runs, ours, batchSize);
const report = {
  date: new Date().toISOString(),
  model: config.model,
  image_size: imageSize,
  batch_size: batchSize,
  rounds,
  steps_per_time: steps,
  adapter: ours.about.adapter,
  driver: ours.about.driver,
  host: {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    node: process.version,
    load_before: startLoad,
    load_after: loadavg()[0],
  },
  peers: peers.map(({ name, about: { version, toggles, parameters } }) => ({ name, version, toggles, parameters })),
  left_out: leftOut,
  rows,
};
const file =
  values.out ??
  fileURLToPath(new URL(`../results/${report.date.slice(0, 10)}-${report.adapter}-peers.json`, import.meta.url));
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`);
console.log(tableOf(report));
note(`written: ${file}`);
if (rows.some(({ agrees }) => !agrees)) {
  note('a peer computes something else than murad: its times mean nothing');
  process.exitCode = 1;
}
