// Kills one training run again and again with SIGKILL, at random moments and while it writes, resumes it each time, and
// compares what it ends with to the same run undisturbed: best and last byte by byte, and the metrics but their pace.
// node scripts/kills.mjs [--kills 50] [--epochs 60] [--seed 1] [--adapter KIND]; needs npm run build. Exit code 1 where they differ.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    epochs: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    adapter: { type: 'string', default: 'auto' },
  },
});
const folder = mkdtempSync(join(tmpdir(), 'murad-kills-'));
const adapter = ['--adapter', values.adapter];
/** Every part of a recipe that a state has to carry: dropout, weights of classes, a phase with frozen features. */
const recipe = [
  ...'--data set --model mobilenet_v2 --image-size 32 --batch-size 4 --limit 12'.split(' '),
  ...'--pretrained first/last.safetensors --freeze-epochs 2 --class-weights --dropout 0.3 --save-minutes 0.003'.split(
    ' ',
  ),
  ...['--plateau-patience', '3', '--epochs', values.epochs, ...adapter],
];

let state = Number(values.seed) >>> 0;
/** In [0, 1): mulberry32. */
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

/** Starts a command; `ended` gives its code, or null where it was killed. */
function start(...words) {
  const child = spawn(process.execPath, [MAIN, ...words], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const ended = new Promise((resolve) => child.on('close', (code) => resolve({ code, stderr })));
  return { child, ended };
}

async function toTheEnd(...words) {
  const began = performance.now();
  const { code, stderr } = await start(...words).ended;
  if (code !== 0) throw new Error(`murad ${words.join(' ')}: exit code ${code}\n${stderr}`);
  return performance.now() - began;
}

/** Kills a process after a time, or at one of the next changes of a file in the run folder. Returns which. */
function killSomewhen(child, run, time) {
  const kill = () => child.kill('SIGKILL');
  const timer = setTimeout(kill, time * (0.1 + 0.9 * random()));
  if (random() < 0.5 || !existsSync(run)) return () => clearTimeout(timer);
  clearTimeout(timer);
  let left = 1 + Math.floor(16 * random());
  const watcher = watch(run, () => {
    if (--left === 0) kill();
  });
  return () => watcher.close();
}

const file = (...path) => join(folder, ...path);
const hash = (path) => createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16);
const outcome = (run) => ({
  best: hash(file(run, 'best.safetensors')),
  last: hash(file(run, 'last.safetensors')),
  metrics: readFileSync(file(run, 'metrics.jsonl'), 'utf8').replace(/"images_per_s":[^,]+,/g, ''),
});

/** Trains to the end, killed up to `kills` times; counts the kills in `seen`, and what they left. */
async function trainKilled(kills, time, seen) {
  rmSync(file('killed'), { recursive: true, force: true });
  for (;;) {
    const begun = existsSync(file('killed', 'config.json'));
    const words = begun ? ['--resume', 'killed', ...adapter] : [...recipe, '--out', 'killed'];
    const { child, ended } = start('train', ...words);
    const stop = seen.kills < kills ? killSomewhen(child, file('killed'), time) : () => {};
    const { code, stderr } = await ended;
    stop();
    if (code === 0) return;
    if (code !== null) throw new Error(`a resume failed with exit code ${code}\n${stderr}`);
    seen.kills++;
    if (!existsSync(file('killed', 'config.json'))) seen.beforeTheConfig++;
    else if (!existsSync(file('killed', 'state.safetensors'))) seen.beforeAState++;
    if (leftovers().length > 0) seen.whileWriting++;
  }
}

const leftovers = () =>
  existsSync(file('killed')) ? readdirSync(file('killed')).filter((name) => name.endsWith('.tmp')) : [];

try {
  await toTheEnd('phantom', 'set', '--studies', '20', '--size', '48');
  const first = '--data set --model mobilenet_v2 --image-size 32 --batch-size 4 --limit 8 --epochs 1 --out first'.split(
    ' ',
  );
  const startUp = await toTheEnd('train', ...first, ...adapter);
  const undisturbed = await toTheEnd('train', ...recipe, '--out', 'whole');
  const whole = outcome('whole');
  const seen = { kills: 0, beforeTheConfig: 0, beforeAState: 0, whileWriting: 0, runs: 0, runsThatDiffer: 0 };
  while (seen.kills < Number(values.kills)) {
    await trainKilled(Number(values.kills), Math.min(3 * startUp, 0.8 * undisturbed), seen);
    seen.runs++;
    if (leftovers().length > 0 || JSON.stringify(outcome('killed')) !== JSON.stringify(whole)) seen.runsThatDiffer++;
  }
  console.log(JSON.stringify({ ...seen, undisturbedSeconds: undisturbed / 1000, best: whole.best, last: whole.last }));
  process.exitCode = seen.runsThatDiffer === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
