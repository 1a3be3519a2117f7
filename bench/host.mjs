// Everything that is to be known of the machine at hand, in a few minutes and one command:
//     npm run bench:host -- [--minutes 8.5] [--parts steps,check,...] [--adapter auto] [--size PX] [--batches 16,32] [--out DIR]
// Training steps and inference of DenseNet-121 with their share of the adapter's measured peaks and their memory, every
// kernel's check against its reference, PyTorch on the same GPU, the kernels' shares of a step, peers, every variant of every
// convolution. Parts run in order of worth, each in a process group of its own with a time limit; one that fails or is cut
// off loses what it had not told, and no other's figures. After each part the report is written anew, as JSON and Markdown:
// bench/results/DATE-ADAPTER-host.{json,md}. Exit code 1 where a kernel is wrong or a part failed.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { packageVersion } from '../dist/cli/version.js';
import { killAll, runChild } from './host/child.mjs';
import { markdownOf } from './host/markdown.mjs';
import { adapterPart, parts, sizesFor } from './host/parts.mjs';
import { findPython } from './peers/peer-processes.mjs';

/** A part is not begun with less than so many seconds left. */
const LEAST = 5;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '8.5' },
    parts: { type: 'string' },
    adapter: { type: 'string', default: 'auto' },
    size: { type: 'string' },
    batches: { type: 'string' },
    out: { type: 'string', default: fileURLToPath(new URL('results', import.meta.url)) },
  },
});
const names = parts.map(({ name }) => name);
const chosen = values.parts?.split(',') ?? names;
const unknown = chosen.find((name) => !names.includes(name));
const seconds = 60 * Number(values.minutes);
const numbers = values.batches?.split(',').map(Number);
if (unknown !== undefined || ![seconds, Number(values.size ?? 1), ...(numbers ?? [])].every((value) => value > 0)) {
  const got = unknown === undefined ? 'a number that is none above 0' : `--parts ${unknown}`;
  console.error(`bench:host: got ${got}; expected numbers above 0, and of the parts: ${names.join(', ')}`);
  process.exit(2);
}

const note = (line) => process.stderr.write(`${line}\n`);
const start = performance.now();
const left = () => seconds - (performance.now() - start) / 1000;
const folder = mkdtempSync(join(tmpdir(), 'murad-host-'));
process.on('exit', () => {
  killAll();
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** Runs a part within what is left of the time; what came of it. */
async function runPart({ name, most, command, result }, config) {
  const limit = Math.min(most, left());
  if (limit < LEAST) return { status: 'left out', reason: `no time left of ${values.minutes} minutes` };
  note(`${name}: at most ${limit.toFixed(0)} s`);
  const ended = await runChild(command(config), limit, note);
  // A check that finds something wrong ends with exit code 1 and its result.
  let kept;
  try {
    kept = result(ended, config);
  } catch (error) {
    ended.fault ??= error.message;
  }
  if (ended.fault) note(`${name}: ${ended.fault}`);
  return {
    status: ended.fault ? 'failed' : 'done',
    seconds: ended.seconds,
    ...(ended.fault ? { reason: ended.fault } : {}),
    ...(kept === undefined ? {} : { result: kept }),
  };
}

const found = await runPart(adapterPart, { adapter: values.adapter });
if (!found.result) {
  console.error(`bench:host: ${found.reason}`);
  process.exit(1);
}
const { adapter, features, limits } = found.result;
const python = findPython();
const sizes = sizesFor(adapter.kind, { size: values.size && Number(values.size), batches: numbers });
const config = { adapter: values.adapter, folder, python, ...sizes };
const report = {
  date: new Date().toISOString(),
  version: packageVersion(),
  adapter,
  host: {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memory_bytes: totalmem(),
    node: process.version,
    load_before: loadavg()[0],
  },
  image_size: sizes.imageSize,
  batch_sizes: sizes.batches,
  minutes: Number(values.minutes),
  features,
  limits,
  parts: Object.fromEntries(names.map((name) => [name, { status: 'left out', reason: 'not begun' }])),
};
const base = join(values.out, `${report.date.slice(0, 10)}-${adapter.name}-host`);

function write() {
  report.seconds = (performance.now() - start) / 1000;
  report.host.load_after = loadavg()[0];
  mkdirSync(values.out, { recursive: true });
  writeFileSync(`${base}.json`, `${JSON.stringify(report, null, 1)}\n`);
  writeFileSync(`${base}.md`, markdownOf(report));
}

for (const part of parts) {
  const why = chosen.includes(part.name) ? part.unless?.(config) : 'not asked for';
  report.parts[part.name] = why ? { status: 'left out', reason: why } : await runPart(part, config);
  write();
}
console.log(markdownOf(report));
note(`written: ${base}.json and .md`);
process.exit(Object.values(report.parts).some(({ status }) => status === 'failed') ? 1 : 0);
